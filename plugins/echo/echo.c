/* A plugin in plain C, built against the installed SDK's abi.h alone.
 *
 *   echo        answers with the request as it came
 *   echo_count  how many requests this instance has echoed; private, so only callers on its own node reach it
 */
#include <busbar/abi.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) \
  { literal, sizeof(literal) - 1 }

struct echo {
  busbar_router router;
  const busbar_host* host;
  atomic_uint_fast64_t count;
};

static const busbar_service echo_service = {
    .struct_size = sizeof(busbar_service),
    .flags = BUSBAR_SERVICE_INLINE | BUSBAR_SERVICE_IDEMPOTENT | BUSBAR_SERVICE_DRY_RUN_SAFE,
    .name = TEXT("echo"),
    .doc = TEXT("Answers with the request as it came."),
    .request_schema = TEXT("true"),
    .response_schema = TEXT("true"),
    .example = TEXT("[1, 2.5, null]"),
};
static const busbar_service count_service = {
    .struct_size = sizeof(busbar_service),
    .flags = BUSBAR_SERVICE_PRIVATE | BUSBAR_SERVICE_DRY_RUN_SAFE,
    .name = TEXT("echo_count"),
    .doc = TEXT("How many requests were echoed since the plugin was loaded."),
    .request_schema = TEXT("{\"description\": \"nothing is read of it\"}"),
    .response_schema = TEXT("{\"type\": \"integer\", \"minimum\": 0}"),
    .example = TEXT("{}"),
};
static const busbar_service* const services[] = {&echo_service, &count_service};

static uint32_t authorize(void* self, const busbar_service* service, busbar_call* call, const busbar_message* message) {
  (void)self, (void)service, (void)call, (void)message;
  return BUSBAR_AUTHORIZED;
}

/* A CBOR unsigned integer of eight bytes: major type 0, additional information 27, then the value, highest first. */
static size_t write_count(uint8_t out[9], uint64_t value) {
  out[0] = 0x1b;
  for (int i = 0; i < 8; ++i) out[1 + i] = (uint8_t)(value >> (56 - 8 * i));
  return 9;
}

static uint32_t handle(void* self, const busbar_service* service, busbar_call* call, const busbar_message* message) {
  struct echo* echo = self;
  uint8_t number[9];
  busbar_response response;
  busbar_reply reply;
  memset(&response, 0, sizeof response);
  memset(&reply, 0, sizeof reply);
  response.struct_size = sizeof response;
  response.kind = BUSBAR_RESPONSE_OK;
  response.flags = BUSBAR_RESPONSE_HAS_VALUE;
  if (service == &count_service) {
    response.value.data = number;
    response.value.size = write_count(number, atomic_load(&echo->count));
  } else {
    atomic_fetch_add(&echo->count, 1);
    response.value = message->raw_request;
    if (response.value.size == 0) response.flags = 0; /* an absent request: ok without a value */
  }
  reply.struct_size = sizeof reply;
  reply.response = &response;
  echo->host->reply(call, &reply);
  return BUSBAR_REPLIED;
}

static void destroy(void* self) { free(self); }

static const busbar_router* create(const busbar_host* host, busbar_error* error) {
  static const char no_memory[] = "no memory for the plugin's object";
  struct echo* echo = calloc(1, sizeof *echo);
  if (echo == NULL) {
    memcpy(error->text, no_memory, sizeof no_memory - 1);
    error->size = sizeof no_memory - 1;
    return NULL;
  }
  echo->host = host;
  echo->router.struct_size = sizeof echo->router;
  echo->router.service_count = sizeof services / sizeof services[0];
  echo->router.services = services;
  echo->router.self = echo;
  echo->router.authorize = authorize;
  echo->router.handle = handle;
  echo->router.destroy = destroy;
  return &echo->router;
}

BUSBAR_PLUGIN_ENTRY(create, "echo", "1.0.0");
