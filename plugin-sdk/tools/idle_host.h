/* A host that does nothing, for whoever creates a plugin's object only to look at it: the tool that writes manifests,
 * and the child process in which a host tries a plugin. Every function may be called; a dispatch answers an error, a
 * line of the log goes to standard error. C, so that the tool needs no C++. */
#ifndef BUSBAR_IDLE_HOST_H
#define BUSBAR_IDLE_HOST_H

#include <busbar/abi.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline busbar_text busbar_idle_text(const char* terminated) {
  busbar_text text = {terminated, strlen(terminated)};
  return text;
}

static inline busbar_buffer* busbar_idle_reply_buffer(busbar_call* call) {
  (void)call;
  return NULL;
}

static inline busbar_status busbar_idle_reply(busbar_call* call, const busbar_reply* reply) {
  (void)call;
  (void)reply;
  return BUSBAR_INVALID;
}

static inline void busbar_idle_call_retain(busbar_call* call) { (void)call; }

static inline void busbar_idle_call_release(busbar_call* call) { (void)call; }

static inline int64_t busbar_idle_time_left_us(const busbar_call* call) {
  (void)call;
  return 0;
}

static inline uint32_t busbar_idle_caller_gone(const busbar_call* call) {
  (void)call;
  return 1;
}

/* All results are this one: a message that was answered with an error. */
static inline const busbar_message* busbar_idle_result_message(const busbar_result* result) {
  static busbar_response response;
  static busbar_message message;
  (void)result;
  response.struct_size = sizeof response;
  response.kind = BUSBAR_RESPONSE_ERROR;
  response.name = busbar_idle_text("forbidden");
  response.text = busbar_idle_text("no service can be called before the plugin is started");
  message.struct_size = sizeof message;
  message.valid = 1;
  message.halted = 1;
  message.response = &response;
  return &message;
}

static inline busbar_result* busbar_idle_dispatch(void* context, busbar_call* parent, const busbar_message* message,
                                                  const busbar_dispatch_options* options) {
  static char result; /* only its address counts: who holds a result may not look inside */
  (void)context;
  (void)parent;
  (void)message;
  (void)options;
  return (busbar_result*)(void*)&result;
}

static inline busbar_status busbar_idle_dispatch_async(void* context, busbar_call* parent,
                                                       const busbar_message* message,
                                                       const busbar_dispatch_options* options,
                                                       void (*done)(void* user, busbar_result* result), void* user) {
  (void)context;
  (void)parent;
  (void)message;
  (void)options;
  (void)done;
  (void)user;
  return BUSBAR_FAILED;
}

static inline void busbar_idle_result_release(busbar_result* result) { (void)result; }

static inline void busbar_idle_log(void* context, const busbar_call* call, uint32_t level, busbar_text text) {
  (void)context;
  (void)call;
  (void)level;
  if (text.data != NULL) fprintf(stderr, "%.*s\n", (int)(text.size < 4096 ? text.size : 4096), text.data);
}

static inline const void* busbar_idle_extension(void* context, busbar_text id) {
  (void)context;
  (void)id;
  return NULL;
}

/* Such a host. It must live until the plugin's `destroy` has returned. */
static inline busbar_host busbar_idle_host(void) {
  busbar_host host;
  memset(&host, 0, sizeof host);
  host.struct_size = sizeof host;
  host.abi_major = BUSBAR_ABI_MAJOR;
  host.abi_minor = BUSBAR_ABI_MINOR;
  host.node = busbar_idle_text("trial");
  host.reply_buffer = busbar_idle_reply_buffer;
  host.reply = busbar_idle_reply;
  host.call_retain = busbar_idle_call_retain;
  host.call_release = busbar_idle_call_release;
  host.time_left_us = busbar_idle_time_left_us;
  host.caller_gone = busbar_idle_caller_gone;
  host.dispatch = busbar_idle_dispatch;
  host.dispatch_async = busbar_idle_dispatch_async;
  host.result_message = busbar_idle_result_message;
  host.result_release = busbar_idle_result_release;
  host.log = busbar_idle_log;
  host.extension = busbar_idle_extension;
  return host;
}

#ifdef __cplusplus
}
#endif

#endif /* BUSBAR_IDLE_HOST_H */
