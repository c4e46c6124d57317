# What busbar_add_plugin does to the file that a host may be serving: it is replaced as a whole by a build that passes, and
# left alone by one that does not, or has nothing to do.
#   cmake -DGENERATOR=… -DBUSBAR=TREE -DMANIFEST=PROGRAM -DSCRATCH=DIR -P add_plugin.cmake
set(plugin ${SCRATCH}/build/plugins/served.so)

# build(EXPECTED SOURCE): of that source of tests/plugins; EXPECTED is PASSES, or what is said where it fails.
function(build expected source)
  file(READ ${BUSBAR}/tests/plugins/${source} text)
  file(WRITE ${SCRATCH}/served.c "${text}")
  build_again("${expected}")
endfunction()

function(build_again expected)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${SCRATCH}/build
    RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(expected STREQUAL "PASSES")
    if(NOT status EQUAL 0)
      message(FATAL_ERROR "the build failed, expected it to pass:\n${said}")
    endif()
  elseif(status EQUAL 0 OR NOT said MATCHES "${expected}")
    message(FATAL_ERROR "the build ended with ${status}, expected it to fail and say \"${expected}\":\n${said}")
  endif()
endfunction()

# The file, told from any other and any other content.
function(look out)
  execute_process(COMMAND stat --format "%i %Y %s" ${plugin} OUTPUT_VARIABLE which COMMAND_ERROR_IS_FATAL ANY)
  file(SHA256 ${plugin} content)
  set(${out} "${which} ${content}" PARENT_SCOPE)
endfunction()

function(expect_same what)
  look(now)
  if(NOT now STREQUAL before)
    message(FATAL_ERROR "${what} touched the file that is served")
  endif()
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
file(COPY ${BUSBAR}/tests/unit/cmake/project/CMakeLists.txt DESTINATION ${SCRATCH})
file(WRITE ${SCRATCH}/served.c "")
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SCRATCH} -B ${SCRATCH}/build -G ${GENERATOR} -DCMAKE_BUILD_TYPE=Debug
  -DBUSBAR=${BUSBAR} -DMANIFEST=${MANIFEST} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)

build(PASSES good.c)
look(before)
file(STRINGS ${plugin} listed REGEX "dry_run_safe")
if(NOT listed)
  message(FATAL_ERROR "the list of services is not in the file")
endif()

build_again(PASSES)
expect_same("a build with nothing to do")
build("could not list the services" create_fails.c)
expect_same("a build whose services could not be listed")
build_again("could not list the services")
expect_same("the same again")
build("undefined reference" undefined_symbol.c)
expect_same("a build that could not be linked")

# Others, which may have the old one open, keep it: it is another file.
file(CREATE_LINK ${plugin} ${SCRATCH}/kept.so)
file(SHA256 ${SCRATCH}/kept.so old_content)
build(PASSES good_again.c)
look(now)
file(SHA256 ${SCRATCH}/kept.so kept_content)
if(now STREQUAL before OR NOT kept_content STREQUAL old_content)
  message(FATAL_ERROR "a build that passes must put a new file in the place of the old one")
endif()
file(GLOB left ${SCRATCH}/build/plugins/* ${SCRATCH}/build/plugins/.*.part)
if(NOT left STREQUAL plugin)
  message(FATAL_ERROR "expected ${plugin} alone, found ${left}")
endif()

if(GENERATOR STREQUAL "Ninja")  # make looks at the file that it linked alone
  file(REMOVE ${plugin})
  build_again(PASSES)
  look(now)
endif()
