/* What the fixtures here have in common: a router with one service, named as the plugin, that answers ok. A fixture
 * includes this and adds its one defect. FIXTURE_NAME comes from the build. */
#ifndef BUSBAR_TESTS_FIXTURE_H
#define BUSBAR_TESTS_FIXTURE_H

#include <busbar/abi.h>
#include <string.h>

#define FIXTURE_TEXT(literal) \
  { literal, sizeof(literal) - 1 }

static const busbar_host* fixture_host;

static busbar_service fixture_service = {sizeof(busbar_service),
                                         BUSBAR_SERVICE_IDEMPOTENT,
                                         FIXTURE_TEXT(FIXTURE_NAME),
                                         FIXTURE_TEXT("Answers ok."),
                                         250,
                                         0,
                                         NULL};
static const busbar_service* const fixture_services[] = {&fixture_service};

static inline uint32_t fixture_authorize(void* self, const busbar_service* service, busbar_call* call,
                                         const busbar_message* message) {
  (void)self, (void)service, (void)call, (void)message;
  return BUSBAR_AUTHORIZED;
}

static inline uint32_t fixture_handle(void* self, const busbar_service* service, busbar_call* call,
                                      const busbar_message* message) {
  busbar_response response;
  busbar_reply reply;
  (void)self, (void)service, (void)message;
  memset(&response, 0, sizeof response);
  memset(&reply, 0, sizeof reply);
  response.struct_size = sizeof response;
  response.kind = BUSBAR_RESPONSE_OK;
  reply.struct_size = sizeof reply;
  reply.response = &response;
  fixture_host->reply(call, &reply);
  return BUSBAR_REPLIED;
}

static inline void fixture_destroy(void* self) { (void)self; }

static busbar_router fixture_router = {
    sizeof(busbar_router), 1, fixture_services, NULL, NULL, NULL, NULL, fixture_authorize, fixture_handle,
    fixture_destroy};

static inline const busbar_router* fixture_create(const busbar_host* host, busbar_error* error) {
  (void)error;
  fixture_host = host;
  return &fixture_router;
}

/* What a constructor does to fail in order. */
static inline const busbar_router* fixture_fail(busbar_error* error, const char* why) {
  error->size = (uint32_t)strlen(why);
  memcpy(error->text, why, error->size);
  return NULL;
}

#endif /* BUSBAR_TESTS_FIXTURE_H */
