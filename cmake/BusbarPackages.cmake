# Debian packages of what was built, by CPack: `cpack` in the build folder, or tools/package.sh, which builds as well.
#
#   busbar         host and command line, the systemd unit, configuration, man pages, completion
#   busbar-dev     what plugins and programs are built with
#   busbar-dbgsym  debug symbols of their programs, where these were built with some
#
# The install component `debian` holds what only packages have. It is never installed otherwise, as its places are absolute.
set(_source ${PROJECT_SOURCE_DIR}/packaging)
set(_made ${PROJECT_BINARY_DIR}/packaging)
set(_maintainer "The Busbar maintainers <busbar@example.org>")
set(_revision 1)

# The configuration that the package brings differs from the built-in defaults in where the host keeps things, which for
# a user who is not root would be in a home directory.
file(READ config/busbar.toml _toml)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/config/busbar.toml)
function(_busbar_package_sets default value)
  string(FIND "${_toml}" "\n#${default}\n" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "config/busbar.toml: the package sets a key there, and did not find the line #${default}")
  endif()
  string(REPLACE "\n#${default}\n" "\n#${default}\n${value}\n" changed "${_toml}")
  set(_toml "${changed}" PARENT_SCOPE)
endfunction()
_busbar_package_sets([[plugins = "/usr/lib/busbar/plugins"]] [[plugins = "/var/lib/busbar/plugins"]])
_busbar_package_sets([[state = "/var/lib/busbar"]] [[state = "/var/lib/busbar"]])
file(WRITE ${_made}/busbar.toml "${_toml}")

# The changes of a package are those of its version. No older ones: there was no package before.
string(TIMESTAMP _date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${_made}/changelog "busbar (${PROJECT_VERSION}-${_revision}) unstable; urgency=medium

  * Version ${PROJECT_VERSION}; see CHANGELOG.md in its sources.

 -- ${_maintainer}  ${_date}
")

# What is made when the packages are, and not before: compressed and stripped files.
configure_file(${_source}/prepare.cmake.in ${_made}/prepare.cmake @ONLY)
set(CPACK_PROJECT_CONFIG_FILE ${_made}/prepare.cmake)

# _busbar_packaged(COMPONENT …): as install(), for packages alone.
function(_busbar_packaged component)
  install(${ARGN} COMPONENT ${component} EXCLUDE_FROM_ALL)
endfunction()
_busbar_packaged(debian FILES ${_made}/busbar.toml DESTINATION /etc/busbar)
_busbar_packaged(debian FILES ${_source}/busbar.service DESTINATION /lib/systemd/system)
_busbar_packaged(debian DIRECTORY ${_made}/man/busbar/ DESTINATION /usr/share/man/man1)
_busbar_packaged(debian-dev DIRECTORY ${_made}/man/busbar-dev/ DESTINATION /usr/share/man/man1)
_busbar_packaged(debian-dev DIRECTORY plugins/accounts plugins/echo plugins/greeter examples/client examples/python
  DESTINATION /usr/share/doc/busbar-dev/examples)
_busbar_packaged(debian-dev CODE "execute_process(COMMAND ${CMAKE_COMMAND} -P ${_source}/strip_archives.cmake
  COMMAND_ERROR_IS_FATAL ANY)")
foreach(_pair "debian busbar" "debian-dev busbar-dev")
  separate_arguments(_pair)
  list(POP_FRONT _pair _component _package)
  _busbar_packaged(${_component} FILES ${_source}/debian/copyright ${_made}/changelog.Debian.gz
    DESTINATION /usr/share/doc/${_package})
  _busbar_packaged(${_component} FILES ${_source}/debian/${_package}.lintian-overrides RENAME ${_package}
    DESTINATION /usr/share/lintian/overrides)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME busbar)
set(CPACK_PACKAGE_CONTACT "${_maintainer}")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "plugin host for C++ services")  # below each package adds its own
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_VERBATIM_VARIABLES ON)
# The files' places under DESTDIR, as some of them are absolute.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENTS_ALL runtime debian development debian-dev)
set(CPACK_COMPONENT_RUNTIME_GROUP busbar)
set(CPACK_COMPONENT_DEBIAN_GROUP busbar)
set(CPACK_COMPONENT_DEVELOPMENT_GROUP dev)
set(CPACK_COMPONENT_DEBIAN-DEV_GROUP dev)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${_revision})
set(CPACK_DEBIAN_PACKAGE_HOMEPAGE https://busbar.example.org/)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)

set(CPACK_DEBIAN_BUSBAR_PACKAGE_NAME busbar)
set(CPACK_DEBIAN_BUSBAR_PACKAGE_SECTION net)
set(CPACK_DEBIAN_BUSBAR_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.54~)")
set(CPACK_DEBIAN_BUSBAR_DESCRIPTION
"Busbar loads shared libraries from a directory and offers the services in them
to every host of its cluster. A library is checked, tried in a process of its
own, and replaced while it serves, without losing a call.

This package has the host as a system service, and the command line.")
set(CPACK_DEBIAN_BUSBAR_PACKAGE_CONTROL_EXTRA
  ${_source}/debian/preinst ${_source}/debian/postinst ${_source}/debian/prerm ${_source}/debian/postrm
  ${_source}/debian/conffiles ${_made}/control/busbard)

set(CPACK_DEBIAN_DEV_PACKAGE_NAME busbar-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
  "busbar (= ${PROJECT_VERSION}-${_revision}), binutils, libcereal-dev, nlohmann-json3-dev")
string(CONCAT CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS
  "cmake, cppzmq-dev, libboost-dev, libelf-dev, libsodium-dev, libspdlog-dev, "
  "libtomlplusplus-dev, libzmq3-dev, pkg-config")  # a list is one line
set(CPACK_DEBIAN_DEV_DESCRIPTION
"Busbar loads shared libraries from a directory and offers the services in them
to every host of its cluster.

This package has what plugins are built with, in C or C++, and the host as a
library, by which any program becomes a member of the cluster. The latter
needs the recommended packages.")

# Files are packaged without debug information; where there is some, a package of its own has it.
set(CPACK_STRIP_FILES ON)
string(TOUPPER "${CMAKE_BUILD_TYPE}" _type)
if(" ${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${_type}} " MATCHES " -g[0-9]? ")
  list(APPEND CPACK_COMPONENTS_ALL debug)
  set(CPACK_COMPONENT_DEBUG_GROUP dbgsym)
  set(_files)
  foreach(_target busbard busbar busbar_manifest)
    list(APPEND _files $<TARGET_FILE:${_target}>)
  endforeach()
  file(GENERATE OUTPUT ${_made}/debug_symbols.cmake
    CONTENT "set(FILES ${_files})\ninclude(${_source}/debug_symbols.cmake)\n")
  _busbar_packaged(debug CODE "execute_process(COMMAND ${CMAKE_COMMAND} -P ${_made}/debug_symbols.cmake
    COMMAND_ERROR_IS_FATAL ANY)")
  _busbar_packaged(debug FILES ${_source}/debian/copyright ${_made}/changelog.Debian.gz
    DESTINATION /usr/share/doc/busbar-dbgsym)
  _busbar_packaged(debug FILES ${_source}/debian/busbar-dbgsym.lintian-overrides RENAME busbar-dbgsym
    DESTINATION /usr/share/lintian/overrides)
  set(CPACK_DEBIAN_DBGSYM_PACKAGE_NAME busbar-dbgsym)
  set(CPACK_DEBIAN_DBGSYM_PACKAGE_SECTION debug)
  set(CPACK_DEBIAN_DBGSYM_PACKAGE_SHLIBDEPS OFF)
  set(CPACK_DEBIAN_DBGSYM_PACKAGE_DEPENDS "busbar (= ${PROJECT_VERSION}-${_revision})")
  set(CPACK_DEBIAN_DBGSYM_DESCRIPTION
"Debug symbols for the programs of busbar and busbar-dev, which debuggers find
by themselves.")
endif()
include(CPack)
