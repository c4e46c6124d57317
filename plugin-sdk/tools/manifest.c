/* busbar-manifest PLUGIN.so OUT.cbor: writes down what services a plugin offers.
 *
 * It loads the library that has just been built, makes its router with a host that does nothing, and writes the map
 * {"services": [{"name", "doc", "visibility", "inline", "idempotent", "dry_run_safe", "timeout_ms", "strategy",
 * "sticky_field", "max_running", "max_queued", "request_schema", "response_schema", "example",
 * "example_assigns"}…], "max_running", "max_queued"} as CBOR; what comes behind the timeout is left out where the
 * plugin does not say it; the last four of a service are JSON in a text. The build puts that into the library's section
 * `.busbar.manifest`, where `busbar check` finds it without running anything. Plain C and no more than libdl, so that
 * it can load a plugin of any compiler and standard library. All of it happens in a child process, so that a plugin
 * that crashes is an answer in words. */
#define _GNU_SOURCE /* sigabbrev_np */

#include <busbar/abi.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idle_host.h"

static const char* plugin_path;

/* What of the plugin runs now; in memory that the child shares with its parent. */
static const char** stage;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char* format, ...) {
  va_list arguments;
  *stage = NULL; /* all is said */
  fprintf(stderr, "could not list the services of \"%s\": ", plugin_path);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(EXIT_FAILURE);
}

/* ------------------------------------------------------------------------------------------------- writing CBOR */

enum { CBOR_NUMBER = 0, CBOR_TEXT = 3, CBOR_ARRAY = 4, CBOR_MAP = 5 };

/* The head of an item, in its shortest form. */
static void put_head(FILE* out, unsigned type, uint64_t value) {
  int bytes = value < 24 ? 0 : value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;
  int info = bytes == 0 ? (int)value : bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27;
  fputc((int)(type << 5) | info, out);
  for (int i = bytes - 1; i >= 0; --i) fputc((int)(value >> (8 * i) & 0xff), out);
}

static void put_text(FILE* out, const char* data, size_t size) {
  put_head(out, CBOR_TEXT, size);
  if (size > 0) fwrite(data, 1, size, out);
}

static void put_key(FILE* out, const char* key) { put_text(out, key, strlen(key)); }

static void put_flag(FILE* out, const char* key, bool value) {
  put_key(out, key);
  fputc(value ? 0xf5 : 0xf4, out);
}

/* Nothing where there is none. */
static void put_said_text(FILE* out, const char* key, busbar_text text) {
  if (text.size == 0) return;
  put_key(out, key);
  put_text(out, text.data, text.size);
}

/* How many calls run and wait, of a service or of all. A contradiction is written too: it is told by those who check.
 */
static unsigned limit_members(uint32_t max_running, uint32_t max_queued) {
  return (max_running != 0) + (max_queued != (max_running != 0 ? BUSBAR_NO_LIMIT : 0));
}

static void put_limit(FILE* out, uint32_t max_running, uint32_t max_queued) {
  if (max_running != 0) {
    put_key(out, "max_running");
    put_head(out, CBOR_NUMBER, max_running);
  }
  if (max_queued != (max_running != 0 ? BUSBAR_NO_LIMIT : 0)) {
    put_key(out, "max_queued");
    put_head(out, CBOR_NUMBER, max_queued);
  }
}

/* ------------------------------------------------------------------------------------------- looking at the router */

/* The rule for service names, [a-z][a-z0-9_]{0,254}: better told at build time than when a host refuses the plugin. */
static bool is_service_name(busbar_text name) {
  if (name.data == NULL || name.size < 1 || name.size > 255) return false;
  for (size_t i = 0; i < name.size; ++i) {
    char c = name.data[i];
    bool letter = c >= 'a' && c <= 'z';
    if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_'))) return false;
  }
  return true;
}

static busbar_text name_of_strategy(uint32_t strategy) {
  static const char* const names[] = BUSBAR_STRATEGY_NAMES;
  const char* name = strategy <= BUSBAR_STRATEGY_STICKY ? names[strategy] : "";
  return (busbar_text){name, strlen(name)};
}

static void put_service(FILE* out, const busbar_service* service) {
  const busbar_text request = service->request_schema, response = service->response_schema;
  const busbar_text example = service->example, assigns = service->example_assigns;
  const busbar_text strategy = name_of_strategy(service->strategy);
  put_head(out, CBOR_MAP,
           7u + (strategy.size > 0) + (service->sticky_field.size > 0) +
               limit_members(service->max_running, service->max_queued) + (request.size > 0) + (response.size > 0) +
               (example.size > 0) + (assigns.size > 0));
  put_key(out, "name");
  put_text(out, service->name.data, service->name.size);
  put_key(out, "doc");
  put_text(out, service->doc.data, service->doc.size);
  put_key(out, "visibility");
  put_key(out, (service->flags & BUSBAR_SERVICE_PRIVATE) != 0 ? "private" : "public");
  put_flag(out, "inline", (service->flags & BUSBAR_SERVICE_INLINE) != 0);
  put_flag(out, "idempotent", (service->flags & BUSBAR_SERVICE_IDEMPOTENT) != 0);
  put_flag(out, "dry_run_safe", (service->flags & BUSBAR_SERVICE_DRY_RUN_SAFE) != 0);
  put_key(out, "timeout_ms");
  put_head(out, CBOR_NUMBER, service->timeout_ms);
  put_said_text(out, "strategy", strategy);
  put_said_text(out, "sticky_field", service->sticky_field);
  put_limit(out, service->max_running, service->max_queued);
  put_said_text(out, "request_schema", request);
  put_said_text(out, "response_schema", response);
  put_said_text(out, "example", example);
  put_said_text(out, "example_assigns", assigns);
}

static void check_services(const busbar_router* router) {
  if (router->service_count == 0) fail("it offers none");
  for (uint32_t i = 0; i < router->service_count; ++i) {
    const busbar_service* service = router->services[i];
    if (service == NULL || service->struct_size < sizeof *service)
      fail("number %u of them is no busbar_service", i + 1);
    int shown = service->name.size < 80 ? (int)service->name.size : 80;
    if (!is_service_name(service->name)) {
      fail("bad service name \"%.*s\", expected [a-z][a-z0-9_]{0,254}", shown,
           service->name.data != NULL ? service->name.data : "");
    }
    for (uint32_t k = 0; k < i; ++k) {
      busbar_text other = router->services[k]->name;
      if (other.size == service->name.size && memcmp(other.data, service->name.data, other.size) == 0) {
        fail("service \"%.*s\" is there twice", shown, service->name.data);
      }
    }
  }
}

static const busbar_router* create_router(const busbar_host* host) {
  *stage = "it was loaded and its static initialisers ran";
  void* library = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fail("%s", dlerror());
  void* symbol = dlsym(library, BUSBAR_ENTRY_SYMBOL);
  if (symbol == NULL) fail("it exports no \"%s\"", BUSBAR_ENTRY_SYMBOL);
  busbar_plugin_entry_fn entry;
  memcpy(&entry, &symbol, sizeof entry); /* C has no cast from an object's pointer to a function's */
  *stage = "its entry function ran";
  const busbar_plugin* plugin = entry();
  if (plugin == NULL || plugin->create == NULL) fail("its entry function returns no plugin");

  busbar_error error;
  memset(&error, 0, sizeof error);
  error.struct_size = sizeof error;
  *stage = "its router was made (its constructor)";
  const busbar_router* router = plugin->create(host, &error);
  if (router == NULL) {
    int shown = error.size < sizeof error.text ? (int)error.size : (int)sizeof error.text;
    fail("its constructor failed: %.*s", shown, error.text);
  }
  if (router->struct_size < sizeof *router) fail("its router is smaller than a busbar_router");
  return router;
}

static void write_manifest(const char* path) {
  const busbar_host host = busbar_idle_host();
  const busbar_router* router = create_router(&host);
  check_services(router);

  *stage = "its services were listed";
  FILE* out = fopen(path, "wb");
  if (out == NULL) fail("could not write \"%s\"", path);
  put_head(out, CBOR_MAP, 1 + limit_members(router->max_running, router->max_queued));
  put_key(out, "services");
  put_head(out, CBOR_ARRAY, router->service_count);
  for (uint32_t i = 0; i < router->service_count; ++i) put_service(out, router->services[i]);
  put_limit(out, router->max_running, router->max_queued);
  bool failed = ferror(out) != 0;
  if (fclose(out) != 0 || failed) fail("could not write \"%s\"", path);

  *stage = "its router was destroyed";
  router->destroy(router->self);
  *stage = NULL;
}

/* ---------------------------------------------------------------------------------------------------- the process */

static const char hint[] =
    "a constructor runs already when the plugin is built: let it declare services and nothing else; what needs "
    "settings, files, threads or other services belongs into start";

/* Says how the child has ended, where that was not as it should be. */
static int judge(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) != EXIT_SUCCESS && *stage == NULL) return EXIT_FAILURE;
  if (WIFSIGNALED(status)) {
    const char* name = sigabbrev_np(WTERMSIG(status));
    fail("it crashed with SIG%s while %s (hint: %s; a core dump shows where: ulimit -c unlimited)",
         name != NULL ? name : "?", *stage != NULL ? *stage : "its process ended", hint);
  }
  if (*stage != NULL)
    fail("it ended its process with status %d while %s (hint: %s)", WEXITSTATUS(status), *stage, hint);
  return EXIT_SUCCESS;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: busbar-manifest PLUGIN.so OUT.cbor\n");
    return 2;
  }
  plugin_path = argv[1];
  stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (stage == MAP_FAILED) {
    perror("busbar-manifest: could not get memory");
    return EXIT_FAILURE;
  }
  const pid_t child = fork();
  if (child < 0) fail("could not start a process for it");
  if (child == 0) {
    write_manifest(argv[2]);
    /* Not return: nothing that the plugin left behind has to be tidied up for this. */
    fflush(stderr);
    _Exit(EXIT_SUCCESS);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) fail("could not wait for its process");
  return judge(status);
}
