/* What a plugin needs beside itself. */
int helper_version(void);
int helper_version(void) { return HELPER_VERSION; }
