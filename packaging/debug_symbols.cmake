# Copies the debug information of FILES, which who includes it sets, to where debuggers look for it, below DESTDIR: by
# build id. CPack could do that itself, but lists the files in md5sums by absolute paths (3.25).
find_program(objcopy NAMES objcopy REQUIRED)
find_program(readelf NAMES readelf REQUIRED)
foreach(file IN LISTS FILES)
  execute_process(COMMAND ${readelf} --notes --wide "${file}" OUTPUT_VARIABLE notes COMMAND_ERROR_IS_FATAL ANY)
  if(NOT notes MATCHES "Build ID: ([0-9a-f][0-9a-f])([0-9a-f]+)")
    message(FATAL_ERROR "${file} has no build id, by which its debug symbols would be found")
  endif()
  set(to "$ENV{DESTDIR}/usr/lib/debug/.build-id/${CMAKE_MATCH_1}")
  file(MAKE_DIRECTORY "${to}")
  execute_process(COMMAND ${objcopy} --only-keep-debug --compress-debug-sections "${file}" "${to}/${CMAKE_MATCH_2}.debug"
    COMMAND_ERROR_IS_FATAL ANY)
  file(CHMOD "${to}/${CMAKE_MATCH_2}.debug" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endforeach()
