# What `cmake --install` puts where, and the package that others find it by: find_package(busbar).
#
# `cmake --install` puts all of it under one prefix. Packages (BusbarPackages.cmake) take install components: `runtime`,
# `development`, and `tree`, which is what they have in another form.
#
# Each component of find_package is an export set of its own, so that who builds a plugin in C needs nothing of what the host is built
# on: abi (the C boundary and busbar-manifest), sdk, registry, host.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/busbar)
set(host_include_dir ${CMAKE_INSTALL_INCLUDEDIR}/busbar-host)  # as busbar_host's INSTALL_INTERFACE says

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME development)
install(TARGETS busbar_abi busbar_manifest EXPORT busbar-abi)
install(TARGETS busbar_sdk EXPORT busbar-sdk)
install(TARGETS busbar_keys EXPORT busbar-keys)
install(TARGETS busbar_registry EXPORT busbar-registry)
install(TARGETS busbar_host EXPORT busbar-host)
foreach(component abi sdk keys registry host)
  install(EXPORT busbar-${component} NAMESPACE busbar:: FILE busbar-${component}.cmake DESTINATION ${package_dir})
endforeach()

install(DIRECTORY plugin-sdk/include/ keys/include/ registry/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# Not those that show what only the host's own sources may see: libelf, prometheus-cpp.
install(DIRECTORY host/ DESTINATION ${host_include_dir} FILES_MATCHING PATTERN *.hpp
  PATTERN elf_file.hpp EXCLUDE PATTERN symbols.hpp EXCLUDE PATTERN dependencies.hpp EXCLUDE PATTERN metrics EXCLUDE)

configure_package_config_file(cmake/busbarConfig.cmake.in busbarConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(busbarConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/busbarConfig.cmake ${PROJECT_BINARY_DIR}/busbarConfigVersion.cmake
  cmake/BusbarAddPlugin.cmake cmake/plugin.version
  DESTINATION ${package_dir})

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME runtime)
install(TARGETS busbard busbar)
install(TARGETS greeter echo LIBRARY DESTINATION lib/busbar/plugins)  # where busbard looks, not an architecture's folder
install(FILES config/prometheus/alerts.yml config/prometheus/busbar.json DESTINATION ${CMAKE_INSTALL_DATADIR}/busbar/prometheus)
install(FILES config/busbar.toml DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/busbar COMPONENT tree)
install(DIRECTORY docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tree FILES_MATCHING PATTERN *.1)
foreach(program busbar busbard)  # bash looks for a file of the program's name
  install(FILES cli/completion/busbar RENAME ${program} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endforeach()
install(FILES cli/completion/_busbar DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
# The README of a project that `busbar new` wrote names the first as share/doc/busbar/authors.md.
install(FILES docs/authors.md docs/cluster.md docs/compatibility.md docs/configuration.md docs/contract.md
  docs/operating.md docs/protocol.md docs/security.md docs/ten-minutes.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
