# Compiles SOURCE with COMPILER and looks at what it says: it must fail and say EXPECTED in its first error, which is what
# people read; or, without EXPECTED, compile.
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
execute_process(COMMAND ${COMPILER} ${flags} -c ${SOURCE} -o /dev/null
  RESULT_VARIABLE status ERROR_VARIABLE said OUTPUT_VARIABLE said)
if(NOT EXPECTED)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${SOURCE} does not compile:\n${said}")
  endif()
  return()
endif()
if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles, though it must not")
endif()
string(REGEX MATCH "error:[^\n]*" first "${said}")
string(FIND "${first}" "${EXPECTED}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "${SOURCE} does not compile, but the first error is not \"${EXPECTED}\":\n${said}")
endif()
