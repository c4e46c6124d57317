# Takes the debug information out of the static libraries below DESTDIR, which CPack leaves in.
file(GLOB_RECURSE archives "$ENV{DESTDIR}/usr/lib/*.a")
find_program(strip NAMES strip REQUIRED)
foreach(archive IN LISTS archives)
  execute_process(COMMAND ${strip} --strip-debug --enable-deterministic-archives "${archive}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
