# busbar_add_plugin(NAME sources… [LIBRARIES …] [OUTPUT_DIRECTORY dir] [OUTPUT_NAME name] [NO_MANIFEST])
#
# Builds `NAME.so`, a plugin that a host can load, and unload again. It goes to `plugins/` in the build tree unless
# OUTPUT_DIRECTORY says otherwise, and is called as the target unless OUTPUT_NAME does. After linking, the plugin is loaded
# and its object is created, to write the list of its services into the file for `busbar check`; NO_MANIFEST leaves that
# out. So does a cross build, which could not run it. Sources may be C or C++.
#
# A host may serve from that very directory: the file there is replaced in one step, by one that is linked and listed.
# Where that fails, the file of the last build that did not is still there.
include_guard(GLOBAL)
include(CheckCXXCompilerFlag)

set(BUSBAR_PLUGIN_VERSION_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/plugin.version CACHE INTERNAL "")

function(busbar_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_MANIFEST" "OUTPUT_DIRECTORY;OUTPUT_NAME" "LIBRARIES")
  if(NOT arg_OUTPUT_DIRECTORY)
    set(arg_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
  endif()
  if(NOT arg_OUTPUT_NAME)
    set(arg_OUTPUT_NAME ${name})
  endif()
  add_library(${name} MODULE ${arg_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so" OUTPUT_NAME ${arg_OUTPUT_NAME} NO_SONAME ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${name}.linked
    POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    target_link_libraries(${name} PRIVATE busbar::sdk ${arg_LIBRARIES})
  else()
    target_link_libraries(${name} PRIVATE busbar::abi ${arg_LIBRARIES})
  endif()
  _busbar_plugin_unloadable(${name})
  _busbar_plugin_linked_apart(${name})
  if(NOT arg_NO_MANIFEST)
    _busbar_plugin_manifest(${name})
  endif()
  _busbar_plugin_delivery(${name} ${arg_OUTPUT_DIRECTORY} ${arg_OUTPUT_NAME}.so)
endfunction()

# Unique symbols (inline variables, statics of templates) would keep the library mapped for ever. Hidden visibility stops
# most of them, this the rest, those of the standard library's templates; clang makes none and does not know the flag.
function(_busbar_plugin_unloadable name)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    check_cxx_compiler_flag(-fno-gnu-unique BUSBAR_HAS_NO_GNU_UNIQUE)
    if(BUSBAR_HAS_NO_GNU_UNIQUE)
      target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-gnu-unique>)
    endif()
  endif()
endfunction()

# What keeps the library apart from others in the process, and lets a mistake show when it is linked or loaded instead of
# at some call: no undefined symbol, all of them bound at once, none shown but the entry.
function(_busbar_plugin_linked_apart name)
  _busbar_is_sanitized(${name} sanitized)
  target_link_options(${name} PRIVATE
    LINKER:-z,now LINKER:-z,noexecstack LINKER:--exclude-libs,ALL
    LINKER:--version-script=${BUSBAR_PLUGIN_VERSION_SCRIPT})
  set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${BUSBAR_PLUGIN_VERSION_SCRIPT})
  if(NOT sanitized)  # whose functions are the host's, and stay undefined here
    target_link_options(${name} PRIVATE LINKER:-z,defs)
  endif()
endfunction()

# Whether the target is built with a sanitizer, by any of the ways in which a flag reaches it from its folder.
function(_busbar_is_sanitized name out)
  get_target_property(options ${name} COMPILE_OPTIONS)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  set(flags "${options} ${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS} ${CMAKE_C_FLAGS_${type}} ${CMAKE_CXX_FLAGS_${type}}")
  if(flags MATCHES "-fsanitize=")
    set(${out} ON PARENT_SCOPE)
  else()
    set(${out} OFF PARENT_SCOPE)
  endif()
endfunction()

function(_busbar_plugin_manifest name)
  if(NOT TARGET busbar::manifest OR NOT CMAKE_OBJCOPY OR CMAKE_CROSSCOMPILING)
    return()
  endif()
  _busbar_is_sanitized(${name} sanitized)
  get_target_property(imported busbar::manifest IMPORTED)
  if(sanitized AND imported)  # an installed tool has no sanitizer, and could not load a plugin that has one
    return()
  endif()
  set(manifest ${CMAKE_CURRENT_BINARY_DIR}/${name}.manifest.cbor)
  # The section is new each time, as the linker has just written the file.
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND $<TARGET_FILE:busbar::manifest> $<TARGET_FILE:${name}> ${manifest}
    COMMAND ${CMAKE_OBJCOPY} --add-section .busbar.manifest=${manifest} $<TARGET_FILE:${name}>
    VERBATIM)
endfunction()

# Puts the library where it is looked for, as the last step of its build. A host passes over the copy that is not whole
# yet, as its name begins with a dot; and a rename replaces a file in one step.
function(_busbar_plugin_delivery name directory file)
  get_property(several_configurations GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  if(several_configurations)
    string(APPEND directory "/$<CONFIG>")
  endif()
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E make_directory ${directory}
    COMMAND ${CMAKE_COMMAND} -E copy $<TARGET_FILE:${name}> ${directory}/.${file}.part
    COMMAND ${CMAKE_COMMAND} -E rename ${directory}/.${file}.part ${directory}/${file}
    BYPRODUCTS ${directory}/${file}  # so that Ninja builds it again where it was taken away
    VERBATIM)
endfunction()
