# What `cmake --install` puts where, and the package that others find it by: find_package(busbar).
#
# Each component is an export set of its own, so that who builds a plugin in C needs nothing of what the host is built
# on: abi (the C boundary and busbar-manifest), sdk, registry, host.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/busbar)
set(host_include_dir ${CMAKE_INSTALL_INCLUDEDIR}/busbar-host)  # as busbar_host's INSTALL_INTERFACE says

install(TARGETS busbar_abi busbar_manifest EXPORT busbar-abi)
install(TARGETS busbar_sdk EXPORT busbar-sdk)
install(TARGETS busbar_keys EXPORT busbar-keys)
install(TARGETS busbar_registry EXPORT busbar-registry)
install(TARGETS busbar_host EXPORT busbar-host)
foreach(component abi sdk keys registry host)
  install(EXPORT busbar-${component} NAMESPACE busbar:: FILE busbar-${component}.cmake DESTINATION ${package_dir})
endforeach()

install(DIRECTORY plugin-sdk/include/ keys/include/ registry/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# Not those that show what only the host's own sources may see: libelf.
install(DIRECTORY host/ DESTINATION ${host_include_dir} FILES_MATCHING PATTERN *.hpp
  PATTERN elf_file.hpp EXCLUDE PATTERN symbols.hpp EXCLUDE PATTERN dependencies.hpp EXCLUDE)

configure_package_config_file(cmake/busbarConfig.cmake.in busbarConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(busbarConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/busbarConfig.cmake ${PROJECT_BINARY_DIR}/busbarConfigVersion.cmake
  cmake/BusbarAddPlugin.cmake cmake/plugin.version
  DESTINATION ${package_dir})

install(TARGETS busbard busbar)
install(TARGETS greeter echo LIBRARY DESTINATION lib/busbar/plugins)  # where busbard looks, not an architecture's folder
install(FILES config/busbar.toml DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/busbar)
install(FILES docs/man/busbar.1 docs/man/busbard.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
# The README of a project that `busbar new` wrote names the first as share/doc/busbar/authors.md.
install(FILES docs/authors.md docs/cluster.md docs/compatibility.md docs/contract.md docs/operating.md docs/protocol.md docs/security.md docs/ten-minutes.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
