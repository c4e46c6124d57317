# Compiler settings of everything that is built in this tree, on one interface target: `busbar_settings`.

# Dev: what a developer and the suite run. No flags of its own: quick to build, assertions on.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(busbar_settings INTERFACE)
target_compile_options(busbar_settings INTERFACE -Wall -Wextra -Wpedantic
  $<$<NOT:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wshadow>  # files compiled together hide nothing of each other
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>
  $<$<AND:$<CXX_COMPILER_ID:Clang>,$<COMPILE_LANGUAGE:CXX>>:-Wthread-safety -Werror=thread-safety>)
# A false alarm of g++ 12 about std::string's operator+ (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(busbar_settings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(BUSBAR_WERROR)
  target_compile_options(busbar_settings INTERFACE -Werror)
endif()

if(BUSBAR_SANITIZE)
  add_compile_options(-fsanitize=${BUSBAR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BUSBAR_SANITIZE})
  # What the code asks, as g++ and clang have different words for it.
  foreach(sanitizer address thread)
    if(BUSBAR_SANITIZE MATCHES ${sanitizer})
      string(TOUPPER BUSBAR_SANITIZE_${sanitizer} definition)
      add_compile_definitions(${definition})
    endif()
  endforeach()
endif()

find_program(BUSBAR_CCACHE ccache)
if(BUSBAR_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${BUSBAR_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${BUSBAR_CCACHE})
endif()
