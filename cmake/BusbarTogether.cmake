# Most of what a file of tests takes to compile is what it includes. With BUSBAR_TOGETHER, which the sanitizers' builds
# have, that is done once for eight files at a time, in an order that is not theirs to know: their names must not meet,
# but for those that are said to be apart (docs/decisions/0030).

function(busbar_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD "${BUSBAR_TOGETHER}" UNITY_BUILD_BATCH_SIZE 8)
endfunction()

# Files of targets of this directory that are compiled by themselves all the same.
function(busbar_apart)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
