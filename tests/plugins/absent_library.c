/* The library that `missing_dependency` is linked to, and that it does not find when it is loaded. */
int busbar_tests_of_absent_library(void);
int busbar_tests_of_absent_library(void) { return 1; }
