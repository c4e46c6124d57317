/* The boundary between a Busbar host and a plugin: plain C, and nothing but it crosses.
 *
 * A plugin is a shared library with two things that the host looks for: an ELF note, read from the file before any
 * code of the library runs (`busbar_note`), and one exported function, `busbar_plugin_entry`. C++ authors never see
 * this file: `busbar/plugin.hpp` lies over it. C authors include it alone; `plugins/echo` is a whole example.
 *
 * Conventions, which hold unless a declaration says otherwise:
 *
 * - Strings are pointer and length, UTF-8, not terminated. An empty one may have a null pointer. Payloads are CBOR
 *   (RFC 8949); an empty payload means "absent".
 * - Whoever allocates frees. A pointer that one side passes to a function of the other is *borrowed*: valid until
 *   that function returns, and copied by the other side if it is needed longer.
 * - Every struct begins with `struct_size`, filled by the side that made it. The other side reads no further than
 *   that, and takes what is missing as zero. Structs grow at their end only; their reserved fields are zero.
 * - No function of a plugin may let an exception or a longjmp leave it.
 * - Times are microseconds, sizes bytes, unless the name says another unit.
 *
 * Threads, in brackets behind each function:
 *   [loader]       one thread of the host; calls so marked never overlap for one plugin
 *   [worker]       a pool thread of the host, or for an inline service the caller's thread: many at once
 *   [any]          thread-safe; the host may call it, or may be called, from any thread
 *
 * Life of a plugin: entry → create → start → (authorize, choose_node, handle, healthy)* → stop → destroy. When another
 * version takes its place that one is created and started beside it, unless one of them says BUSBAR_ROUTER_EXCLUSIVE;
 * then this one is stopped first, and started again should the other fail. `create`
 * makes the object and names its services, without any effect on the world: it also runs in a child process that tries
 * the library, and at build time. `start` may open files and connections. After `stop` has returned no thread, timer or
 * callback of the plugin may be left; `destroy` frees the object, and then the library may be unmapped. Each
 * successful create is followed by exactly one destroy, each successful start by exactly one stop.
 */
#ifndef BUSBAR_ABI_H
#define BUSBAR_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A host accepts plugins of its own major and of any minor: what a newer plugin finds missing in an older host's
 * structs it must do without, which it sees by `struct_size`. */
#define BUSBAR_ABI_MAJOR 1
#define BUSBAR_ABI_MINOR 6 /* 1: choose_node; 2: schemas, strategies, limits; 3: what an example needs; 4: callers; */
                           /* 5: state that is handed over, plugins that are alone; 6: traces */

/* ------------------------------------------------------------------------------------------------ plain values */

/* UTF-8 text. Borrowed. */
typedef struct busbar_text {
  const char* data;
  size_t size;
} busbar_text;

/* Bytes, usually one CBOR item. Borrowed. */
typedef struct busbar_bytes {
  const uint8_t* data;
  size_t size;
} busbar_bytes;

/* Memory that the host owns and the plugin writes into: bytes [0, size) are filled, [size, capacity) may be. */
typedef struct busbar_buffer {
  uint8_t* data;
  size_t size;
  size_t capacity;
  /* Makes `capacity` at least `capacity`, keeping what is filled; `data` may move. 0, or -1 when there is no memory
   * for it (then nothing has changed). Same thread as the buffer's user. */
  int (*grow)(struct busbar_buffer* self, size_t capacity);
} busbar_buffer;

/* Where a function that failed writes why. Owned by the host; the plugin sets `size` and the first bytes of `text`. */
typedef struct busbar_error {
  uint32_t struct_size;
  uint32_t size;
  char text[1024];
} busbar_error;

/* What a function of either side answers. Anything but BUSBAR_DONE means that nothing was done. */
typedef enum busbar_status {
  BUSBAR_DONE = 0,
  BUSBAR_FAILED = 1,           /* a busbar_error, where there is one, says why */
  BUSBAR_ALREADY_ANSWERED = 2, /* the call has had its one answer; this one was not sent (C-R4) */
  BUSBAR_NO_MEMORY = 3,
  BUSBAR_INVALID = 4 /* an argument breaks a rule of this file */
} busbar_status;

/* ---------------------------------------------------------------------------------------- messages and responses */

/* The closed set of responses (docs: contract, "Response"). */
typedef enum busbar_response_kind {
  BUSBAR_RESPONSE_NONE = 0, /* not answered yet */
  BUSBAR_RESPONSE_OK = 1,
  BUSBAR_RESPONSE_CREATED = 2,
  BUSBAR_RESPONSE_SERVICE_UNAVAILABLE = 3,
  BUSBAR_RESPONSE_SERVICE_TIMEOUT = 4,
  BUSBAR_RESPONSE_VALIDATION_ERROR = 5,
  BUSBAR_RESPONSE_MISSING_ID = 6,
  BUSBAR_RESPONSE_ERROR = 7
} busbar_response_kind;

#define BUSBAR_RESPONSE_HAS_VALUE 1u   /* `value` holds one CBOR item */
#define BUSBAR_RESPONSE_HAS_VERSION 2u /* `version` counts */

typedef struct busbar_response {
  uint32_t struct_size;
  uint32_t kind;       /* busbar_response_kind */
  uint32_t flags;      /* BUSBAR_RESPONSE_HAS_… */
  uint32_t timeout_ms; /* service_timeout */
  int64_t version;     /* ok, created */
  busbar_text name;    /* created: the id · service_*: the service · missing_id: the field · error: its code */
  busbar_text text;    /* error: for people · service_timeout: the message's id */
  busbar_text detail;  /* error badrpc: its kind · error try_another_node: the reason */
  busbar_bytes value;  /* ok, error: the value · validation_error: details · no_nodes_available: nodes */
} busbar_response;

typedef enum busbar_dry_run {
  BUSBAR_DRY_RUN_NO = 0,
  BUSBAR_DRY_RUN_YES = 1,
  BUSBAR_DRY_RUN_VERBOSE = 2
} busbar_dry_run;

/* Who a call verifiably comes from (C-R8): from this process, or over a connection whose key says so. */
typedef enum busbar_caller {
  BUSBAR_CALLER_UNKNOWN = 0, /* over a connection without keys, or the host is older than minor 4 */
  BUSBAR_CALLER_LOCAL = 1,   /* a plugin or program in this process, or whoever may use its admin socket */
  BUSBAR_CALLER_NODE = 2,    /* another host: for a plugin there, or a client that it lets in */
  BUSBAR_CALLER_CLIENT = 3,
  BUSBAR_CALLER_DEPLOYER = 4 /* a client that may also change plugins */
} busbar_caller;

/* A message (C-M1). A host fills every field for a handler; for a dispatch the plugin fills what it has, and the host
 * supplies the rest (an id, the correlation, the time) by C-M2 and C-M3. */
typedef struct busbar_message {
  uint32_t struct_size;
  uint8_t dry_run; /* busbar_dry_run */
  uint8_t valid;
  uint8_t halted;
  uint8_t reserved;
  busbar_text service_name;
  busbar_text id;
  busbar_text correlation_id; /* empty: the id */
  busbar_text causation_id;   /* empty: the correlation id */
  busbar_text origin_node;    /* a claim, not a proof (C-R8) */
  int64_t invoked_at_us;      /* since 1970-01-01 UTC */
  busbar_bytes raw_request;
  busbar_bytes request;            /* structured and validated, or absent */
  busbar_bytes assigns;            /* map with text keys, or absent */
  busbar_bytes events;             /* array, or absent */
  busbar_bytes logger_metadata;    /* map with text keys, or absent */
  busbar_bytes aggregate_meta;     /* map with text keys, or absent */
  const busbar_response* response; /* null: none yet */
  int64_t deadline_us;             /* CLOCK_MONOTONIC of this process; 0: none. Whatever it causes inherits it (C-M3) */
  /* Since minor 4. Set by the host for `authorize`, `choose_node` and `handle`; ignored in what a plugin dispatches. */
  uint32_t caller; /* busbar_caller */
  uint32_t reserved2;
  busbar_text caller_name; /* that the key says; empty for the first two */
  /* Since minor 6. The W3C traceparent that it came with; empty: none. What a plugin dispatches inside a call inherits
   * its trace where it says none. */
  busbar_text traceparent;
} busbar_message;

#define BUSBAR_REPLY_ASSIGNS 1u /* `assigns` replaces the message's; without it they stay as they were */

/* A handler's answer: the response, and what else of the message the handler changed. */
typedef struct busbar_reply {
  uint32_t struct_size;
  uint32_t flags; /* BUSBAR_REPLY_… */
  const busbar_response* response;
  busbar_bytes assigns;
  busbar_bytes events; /* array, in their order, or absent; sent only with dry_run verbose (C-R5) */
} busbar_reply;

/* ------------------------------------------------------------------------------------------------------ the host */

/* A call that is being served. Made and owned by the host, counted: a handler's is valid until the handler returns,
 * or for as long as the plugin holds it (`call_retain`). */
typedef struct busbar_call busbar_call;

/* The outcome of a dispatch. Made by the host, owned by the plugin until `result_release`. */
typedef struct busbar_result busbar_result;

typedef enum busbar_log_level {
  BUSBAR_LOG_TRACE = 0,
  BUSBAR_LOG_DEBUG = 1,
  BUSBAR_LOG_INFO = 2,
  BUSBAR_LOG_WARN = 3,
  BUSBAR_LOG_ERROR = 4
} busbar_log_level;

/* How one of several remote providers is picked (C-D3). */
typedef enum busbar_strategy {
  BUSBAR_STRATEGY_DEFAULT = 0, /* of a call: the service's own; of a service: random */
  BUSBAR_STRATEGY_RANDOM = 1,
  BUSBAR_STRATEGY_LEAST_PENDING = 2, /* the one with the fewest calls of this node under way there */
  BUSBAR_STRATEGY_STICKY = 3         /* the same one for the same key, as long as it is there */
} busbar_strategy;

/* How they are spelled, by number, where they stand as texts; the default is not said. */
#define BUSBAR_STRATEGY_NAMES \
  { "", "random", "least_pending", "sticky" }

typedef struct busbar_dispatch_options {
  uint32_t struct_size;
  uint32_t timeout_ms; /* 0: the service's own, else 5,000. Never beyond what the parent has left (C-D8) */
  /* Since minor 2. */
  uint32_t strategy; /* busbar_strategy */
  uint32_t reserved;
  busbar_text sticky_key; /* sticky: the key. Empty with sticky: what the service's own strategy says */
} busbar_dispatch_options;

/* What a host offers a plugin. Owned by the host, valid from `create` until `destroy` has returned. */
typedef struct busbar_host {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  void* context;    /* this plugin as the host knows it: the first argument of the functions below that take one */
  busbar_text node; /* this node's name */

  /* -- about a call; `call` is a handler's own, or a retained one */

  /* A buffer for the answer's value, so that it need not be copied: write one CBOR item to it and let the response's
   * `value` be its bytes. Owned by the call; one for each. [worker], inside authorize or handle only. */
  busbar_buffer* (*reply_buffer)(busbar_call* call);

  /* Answers. Inside the handler, on its thread, the answer is kept and sent when the handler returns; elsewhere it
   * is sent at once. BUSBAR_ALREADY_ANSWERED for every answer but the first; an answer that comes too late is taken
   * and discarded (C-D6). The reply is borrowed. [any] */
  busbar_status (*reply)(busbar_call* call, const busbar_reply* reply);

  /* Holds the call beyond its handler, so that it can be answered later (C-R4); each retain needs one release. When
   * the last holder releases a call that was never answered, its caller gets badrpc(bad_return, "reply dropped").
   * The plugin stays loaded while it holds one. [any] */
  void (*call_retain)(busbar_call* call);
  void (*call_release)(busbar_call* call);

  /* What is left of the call's budget; 0 when it is spent. [any] */
  int64_t (*time_left_us)(const busbar_call* call);

  /* 1 when nobody waits for the answer any more: timed out, cancelled, gone. [any] */
  uint32_t (*caller_gone)(const busbar_call* call);

  /* -- dispatching. `parent` is the call that causes this one, or null; the message is borrowed */

  /* Dispatches, and waits for the outcome: a result whose message carries the response, whatever went wrong. Null
   * only when there is no memory. In an inline service it answers error(would_block) at once (C-D17). [any] */
  busbar_result* (*dispatch)(void* context, busbar_call* parent, const busbar_message* message,
                             const busbar_dispatch_options* options);

  /* The same without waiting: `done(user, result)` is called exactly once, possibly before this returns, on a thread
   * that must not be blocked; it owns the result. Anything but BUSBAR_DONE: `done` will not be called. [any] */
  busbar_status (*dispatch_async)(void* context, busbar_call* parent, const busbar_message* message,
                                  const busbar_dispatch_options* options,
                                  void (*done)(void* user, busbar_result* result), void* user);

  /* The message that came back (C-M9), valid until the result is released. [any] */
  const busbar_message* (*result_message)(const busbar_result* result);
  void (*result_release)(busbar_result* result);

  /* -- logging: a line in the host's log, with the plugin's name and, with a call, its ids. `call` may be null. [any]
   */
  void (*log)(void* context, const busbar_call* call, uint32_t level, busbar_text text);

  /* -- growth: the table behind an id such as "busbar.timer/1", or null where this host has none. [any] */
  const void* (*extension)(void* context, busbar_text id);
} busbar_host;

/* ---------------------------------------------------------------------------------------------------- the plugin */

#define BUSBAR_SERVICE_PRIVATE 1u      /* callable on its own node only, never announced (C-R1) */
#define BUSBAR_SERVICE_INLINE 2u       /* short, never blocks: runs on the caller's thread (C-D17) */
#define BUSBAR_SERVICE_IDEMPOTENT 4u   /* may run twice for one call (C-D18) */
#define BUSBAR_SERVICE_DRY_RUN_SAFE 8u /* does nothing when dry_run says so (C-D10) */

/* A service that a router offers. Owned by the plugin, valid and unchanged until `destroy`. */
typedef struct busbar_service {
  uint32_t struct_size;
  uint32_t flags; /* BUSBAR_SERVICE_… */
  busbar_text name;
  busbar_text doc;     /* for operators; may be empty */
  uint32_t timeout_ms; /* for callers that name none; 0: 5,000 */
  uint32_t reserved;
  void* data; /* the plugin's own: how it finds the handler */
  /* Since minor 2. Schemas and the example are JSON texts of up to 64 KiB; an empty one says nothing. */
  busbar_text request_schema;  /* JSON Schema 2020-12 of a request as JSON */
  busbar_text response_schema; /* the same of the value that it answers */
  busbar_text example;         /* a request that works */
  uint32_t strategy;           /* busbar_strategy, for callers on other nodes that name none */
  uint32_t max_running;        /* calls of it that run at the same time on this node; 0: no limit of its own */
  uint32_t max_queued;         /* with max_running: how many more may wait, else `overloaded`; 0 is none at all */
  uint32_t reserved2;
  busbar_text sticky_field; /* sticky: the field of the raw request whose value is the key */
  /* Since minor 3. The assigns with which the example works: a JSON text, a map of at most 64 KiB; empty: none. */
  busbar_text example_assigns;
} busbar_service;

/* For max_queued: as many as the pool lets wait. */
#define BUSBAR_NO_LIMIT 0xffffffffu

typedef enum busbar_authorization {
  BUSBAR_AUTHORIZED = 0,
  BUSBAR_FORBIDDEN = 1, /* the caller gets error(forbidden) */
  BUSBAR_REFUSED = 2    /* the plugin has given its own error with `reply` */
} busbar_authorization;

/* Where a call is to run (C-R6). Made by the host; the plugin sets `size` and the first bytes of `name`. */
typedef struct busbar_node_choice {
  uint32_t struct_size;
  uint32_t size; /* 0: here */
  char name[64]; /* a node's name; this node's own means here, too */
} busbar_node_choice;

typedef enum busbar_handled {
  BUSBAR_REPLIED = 0, /* `reply` was called */
  BUSBAR_NO_REPLY = 1 /* somebody who retained the call will answer */
} busbar_handled;

#define BUSBAR_ROUTER_EXCLUSIVE 1u /* holds what it cannot share with another version of itself: a port, a lock */

/* What a version of a plugin hands over to the next. Made by the host, which owns the buffer. */
typedef struct busbar_state {
  uint32_t struct_size;
  uint32_t version; /* the author's own, for what the bytes are */
  busbar_buffer* bytes;
} busbar_state;

/* A plugin's object. Owned by the plugin, valid from `create` until `destroy`. */
typedef struct busbar_router {
  uint32_t struct_size;
  uint32_t service_count;
  const busbar_service* const* services;
  void* self; /* the first argument of the functions below */

  /* Opens what the services need. `config` is the table [plugin.NAME] as a CBOR map. Failing it fails the load; then
   * `stop` is not called. May be null. [loader] */
  busbar_status (*start)(void* self, busbar_bytes config, busbar_error* error);

  /* Ends everything that `start` began, threads included. May be null. [loader] */
  void (*stop)(void* self);

  /* Whether the plugin can do its work; if not, why. May be null: always. [any] */
  busbar_status (*healthy)(void* self, busbar_error* error);

  /* Whether the call may go on (C-R3); a busbar_authorization. Null forbids everything. [worker] */
  uint32_t (*authorize)(void* self, const busbar_service* service, busbar_call* call, const busbar_message* message);

  /* Serves the call; a busbar_handled. [worker] */
  uint32_t (*handle)(void* self, const busbar_service* service, busbar_call* call, const busbar_message* message);

  /* Frees the object, this struct included. [loader] */
  void (*destroy)(void* self);

  /* Where the call runs, asked after `authorize` has let it through: here, or on the node that it names, where neither
   * is asked again (C-R6). An inline service can only choose here. Anything but BUSBAR_DONE answers the call with what
   * was given to `reply`, else badrpc(exit). May be null: always here. Since minor 1. [worker] */
  busbar_status (*choose_node)(void* self, const busbar_service* service, busbar_call* call,
                               const busbar_message* message, busbar_node_choice* choice);

  /* Of all its services together, as in busbar_service; inline ones do not count. Since minor 2. */
  uint32_t max_running;
  uint32_t max_queued;

  /* Since minor 5. */
  uint32_t flags; /* BUSBAR_ROUTER_… */
  uint32_t reserved;

  /* Writes what the version that takes this one's place is to go on with, and its version. Both versions must have
   * their half of it; then new calls wait meanwhile, and none is inside. Failing it leaves this one serving. May be
   * null: nothing is handed over. [loader] */
  busbar_status (*save_state)(void* self, busbar_state* state, busbar_error* error);

  /* Takes over what the version before has saved: after `start`, before the first call. Failing it, as for a version of
   * the state that it does not know, leaves the other one serving. May be null. [loader] */
  busbar_status (*restore_state)(void* self, uint32_t version, busbar_bytes state, busbar_error* error);
} busbar_router;

/* ------------------------------------------------------------------------------ the descriptor and the ELF note */

#define BUSBAR_MAGIC 0x42535542u /* "BUSB" */
#define BUSBAR_BUILD_ASAN 1u
#define BUSBAR_BUILD_TSAN 2u

/* Facts about a plugin that can be read without running it. Texts are terminated by a zero byte. */
typedef struct busbar_descriptor {
  uint32_t struct_size;
  uint32_t magic;
  uint16_t abi_major;
  uint16_t abi_minor;
  uint32_t build_flags; /* BUSBAR_BUILD_…: host and plugin must agree on sanitizers */
  char name[64];        /* [A-Za-z0-9][A-Za-z0-9._-]{0,62} */
  char version[32];
  char compiler[64];
} busbar_descriptor;

#define BUSBAR_NOTE_SECTION ".note.busbar"
#define BUSBAR_NOTE_OWNER "Busbar"
#define BUSBAR_NOTE_TYPE 1u

/* An ELF note in the section above: what the linker keeps, `strip` spares and libelf reads. */
typedef struct busbar_note {
  uint32_t owner_size;
  uint32_t descriptor_size;
  uint32_t type;
  char owner[8];
  busbar_descriptor descriptor;
} busbar_note;

/* The section in which a build may list a plugin's services, so that `busbar check` can show them without running the
 * plugin: one CBOR map {"services": [{"name", "doc", "visibility", "inline", …}…]}. `busbar_add_plugin` writes it. */
#define BUSBAR_MANIFEST_SECTION ".busbar.manifest"

/* What the entry function returns: static, never freed. */
typedef struct busbar_plugin {
  uint32_t struct_size;
  uint32_t reserved;
  const busbar_descriptor* descriptor;
  /* Makes the plugin's object, or says why not and returns null. `host` stays valid until `destroy`. [loader] */
  const busbar_router* (*create)(const busbar_host* host, busbar_error* error);
} busbar_plugin;

/* The one exported symbol of a plugin. Has no effect but to return the table. [loader] */
typedef const busbar_plugin* (*busbar_plugin_entry_fn)(void);
#define BUSBAR_ENTRY_SYMBOL "busbar_plugin_entry"

/* ------------------------------------------------------------------------------------------------ for the author */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BUSBAR_BUILT_WITH_ASAN BUSBAR_BUILD_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define BUSBAR_BUILT_WITH_TSAN BUSBAR_BUILD_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(BUSBAR_BUILT_WITH_ASAN)
#define BUSBAR_BUILT_WITH_ASAN BUSBAR_BUILD_ASAN
#endif
#if defined(__SANITIZE_THREAD__) && !defined(BUSBAR_BUILT_WITH_TSAN)
#define BUSBAR_BUILT_WITH_TSAN BUSBAR_BUILD_TSAN
#endif
#ifndef BUSBAR_BUILT_WITH_ASAN
#define BUSBAR_BUILT_WITH_ASAN 0u
#endif
#ifndef BUSBAR_BUILT_WITH_TSAN
#define BUSBAR_BUILT_WITH_TSAN 0u
#endif
#define BUSBAR_BUILD_FLAGS (BUSBAR_BUILT_WITH_ASAN | BUSBAR_BUILT_WITH_TSAN)

#if defined(__clang__)
#define BUSBAR_COMPILER "clang " __clang_version__
#else
#define BUSBAR_COMPILER "gcc " __VERSION__
#endif

#ifdef __cplusplus
#define BUSBAR_EXTERN_C extern "C"
#else
#define BUSBAR_EXTERN_C
#endif

/* Defines the note and the entry function of a plugin whose object `CREATE` makes. NAME and VERSION are string
 * literals. Once in a library, at file scope. */
#define BUSBAR_PLUGIN_ENTRY(CREATE, NAME, VERSION)                                                                     \
  __attribute__((section(BUSBAR_NOTE_SECTION), used, aligned(4))) static const busbar_note busbar_plugin_note = {      \
      sizeof(BUSBAR_NOTE_OWNER),                                                                                       \
      sizeof(busbar_descriptor),                                                                                       \
      BUSBAR_NOTE_TYPE,                                                                                                \
      BUSBAR_NOTE_OWNER,                                                                                               \
      {sizeof(busbar_descriptor), BUSBAR_MAGIC, BUSBAR_ABI_MAJOR, BUSBAR_ABI_MINOR, BUSBAR_BUILD_FLAGS, NAME, VERSION, \
       BUSBAR_COMPILER}};                                                                                              \
  BUSBAR_EXTERN_C __attribute__((visibility("default"))) const busbar_plugin* busbar_plugin_entry(void) {              \
    static const busbar_plugin plugin = {sizeof(busbar_plugin), 0, &busbar_plugin_note.descriptor, CREATE};            \
    return &plugin;                                                                                                    \
  }                                                                                                                    \
  typedef int busbar_plugin_entry_needs_a_semicolon

#ifdef __cplusplus
}
#endif

#endif /* BUSBAR_ABI_H */
