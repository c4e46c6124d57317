#include "fuzz/abi/odd_plugin.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "fuzz/abi/odd_structs.hpp"

namespace busbar::fuzz {

namespace {

constexpr std::int64_t kNotLong = 3000;  // microseconds: a call may be left unanswered for that

enum class Where {
  own_thread,  // no call, or one that is held; may block
  elsewhere,   // a call that is held; what runs there for others would wait if it blocked
  callback,    // no call, and the host refuses to block
  authorizing,
  choosing,
  handling
};

/// What the plugin does at one place, until its script is over. Threads: one.
class Actor {
 public:
  Actor(OddPlugin& plugin, Where where) : plugin_(plugin), where_(where) {}
  /// In a call that the host has given.
  Actor(OddPlugin& plugin, Where where, busbar_call* call, const busbar_message* message,
        std::shared_ptr<Served> served)
      : plugin_(plugin), where_(where), call_(call), message_(message), served_(std::move(served)) {
    if (may_use_buffer()) odd_.use_buffer(host().reply_buffer(call_));
  }
  /// With one that is held already.
  Actor(OddPlugin& plugin, Where where, busbar_call* call, std::shared_ptr<Served> served)
      : plugin_(plugin), where_(where), call_(call), served_(std::move(served)), held_(1) {}
  ~Actor() {
    for (busbar_result* result : results_) host().result_release(result);
    for (; held_ != 0; --held_) host().call_release(call_);
  }
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  /// Errors: what the script says shall leave the plugin.
  void follow(Choices& script) {
    while (!script.over()) {
      if (call_ != nullptr && script.flip()) {
        about_the_call(script);
      } else {
        about_others(script);
      }
    }
  }
  OddStructs& odd() noexcept { return odd_; }

 private:
  bool is_inside() const noexcept { return where_ >= Where::authorizing; }
  bool may_use_buffer() const noexcept { return is_inside() && where_ != Where::choosing; }
  const busbar_host& host() const noexcept { return plugin_.host(); }
  Stage& stage() const noexcept { return plugin_.stage(); }

  void about_the_call(Choices& script) {
    switch (script.below(9)) {
      case 0:
        return reply(script);
      case 1:
        return stage().elsewhere.now([&] { reply(script); });
      case 2:
        return retain();
      case 3:
        return stage().elsewhere.now([&] { retain(); });
      case 4:
        return release();
      case 5:
        return hand_over(script);
      case 6:
        return ask();
      case 7:
        return await_the_end();
      default:
        return write_buffer(script);
    }
  }
  void about_others(Choices& script) {
    switch (script.below(8)) {
      case 0:
        return dispatch(script);
      case 1:
        return dispatch_async(script);
      case 2:
        return stage().elsewhere.now([&] { dispatch_async(script); });
      case 3:
        return log(script);
      case 4:
        return look_for_extension(script);
      case 5:
        return let_go_of_result();
      case 6:
        return stage().elsewhere.now([&] { log(script); });
      default:
        return leave(script);
    }
  }

  // -- the call

  void reply(Choices& script) {
    const busbar_reply* const reply = odd_.reply(script, served_->number);
    // An authorize that answers on its own thread can but refuse.
    const bool may_be_anything = where_ != Where::authorizing || std::this_thread::get_id() != thread_;
    const bool stands = may_be_anything && is_plain(reply);
    served_->answered(host().reply(call_, reply), stands);
  }
  static bool is_plain(const busbar_reply* reply) noexcept {
    if (reply == nullptr || reply->struct_size < sizeof *reply || reply->response == nullptr) return false;
    const busbar_response& response = *reply->response;
    return response.struct_size >= sizeof response && response.kind == BUSBAR_RESPONSE_OK &&
           (response.flags & BUSBAR_RESPONSE_HAS_VERSION) != 0 && response.name.size == 0 && response.detail.size == 0;
  }
  void retain() {
    host().call_retain(call_);
    ++held_;
  }
  void release() {
    if (held_ == 0) return;
    if (--held_ == 0 && !is_inside()) {
      host().call_release(std::exchange(call_, nullptr));
    } else {
      host().call_release(call_);
    }
  }
  /// Somebody else goes on with it: soon, or when nobody waits for it any more.
  void hand_over(Choices& script) {
    const bool at_end = script.flip();
    const Bytes rest = script.some();
    if (held_ == 0) retain();
    const bool may_wait = served_->accepted.load() != 0 || host().time_left_us(call_) <= kNotLong;
    const auto go_on = [&plugin = plugin_, call = call_, served = served_,
                        where = at_end && may_wait ? Where::own_thread : Where::elsewhere,
                        bytes = std::vector<std::uint8_t>(rest.begin(), rest.end())] {
      Choices own{bytes};
      Actor(plugin, where, call, served).follow(own);
    };
    --held_;
    if (at_end && may_wait) {
      stage().at_end(go_on);
    } else {
      stage().elsewhere.later(go_on);
    }
    if (held_ == 0 && !is_inside()) call_ = nullptr;
  }
  void ask() {
    must(host().time_left_us(call_) >= 0, "a call has less than no time left");
    must(host().caller_gone(call_) <= 1, "a caller is neither gone nor there");
  }
  void await_the_end() {
    if (host().time_left_us(call_) > kNotLong) return;
    while (host().caller_gone(call_) == 0) {
    }
  }
  void write_buffer(Choices& script) {
    if (!may_use_buffer()) return;
    busbar_buffer* const buffer = host().reply_buffer(call_);
    const std::size_t wanted = script.byte() * (script.flip() ? 1 : 16);
    if (buffer->grow(buffer, wanted) == 0) must(buffer->capacity >= wanted, "a buffer did not grow");
    const Bytes bytes = script.some();
    const std::size_t size = std::min(bytes.size(), buffer->capacity);
    if (size != 0) std::memcpy(buffer->data, bytes.data(), size);
    buffer->size = size;
  }

  // -- others

  void dispatch(Choices& script) {
    if (where_ == Where::elsewhere || !stage().may_dispatch()) return dispatch_async(script);
    const busbar_message* const message = next_message(script);
    busbar_call* const parent = script.flip() ? nullptr : call_;
    busbar_result* const result = host().dispatch(host().context, parent, message, odd_.options(script));
    must(result != nullptr, "a dispatch has no result");
    check(*message, *result);
    results_.push_back(result);
  }
  const busbar_message* next_message(Choices& script) {
    const busbar_message* const like = results_.empty() ? message_ : host().result_message(results_.back());
    return odd_.message(script, stage().next_id(), like);
  }
  void check(const busbar_message& sent, const busbar_result& result) const {
    const busbar_message& outcome = *host().result_message(&result);
    const bool untouched = sent.struct_size >= kFirstMessage && sent.halted != 0;
    if (untouched) return touch(outcome);
    stage().ledger.check_outcome(outcome);
  }

  struct Pending {
    OddPlugin& plugin;
    Ticket& ticket;
    std::vector<std::uint8_t> script;
    bool untouched;
  };
  void dispatch_async(Choices& script) {
    const Bytes then = script.some();
    if (!stage().may_dispatch()) return;
    const busbar_message* const message = next_message(script);
    const bool untouched = message->struct_size >= kFirstMessage && message->halted != 0;
    auto pending =
        std::make_unique<Pending>(Pending{plugin_, stage().ledger.ticket(), {then.begin(), then.end()}, untouched});
    Ticket& ticket = pending->ticket;
    busbar_call* const parent = script.flip() ? nullptr : call_;
    const bool no_callback = script.byte() == 255;
    const busbar_status status = host().dispatch_async(host().context, parent, message, odd_.options(script),
                                                       no_callback ? nullptr : &Actor::done, pending.get());
    must(status == (no_callback ? BUSBAR_INVALID : BUSBAR_DONE), "a dispatch was refused");
    if (status == BUSBAR_DONE) {
      pending.release();  // it is done's
    } else {
      ticket.ends.store(true);
    }
  }
  static void done(void* user, busbar_result* result) {
    const std::unique_ptr<Pending> pending(static_cast<Pending*>(user));
    const busbar_host& host = pending->plugin.host();
    const busbar_message& outcome = *host.result_message(result);
    if (pending->untouched) {
      touch(outcome);
    } else {
      pending->plugin.stage().ledger.check_outcome(outcome);
    }
    try {
      Actor actor(pending->plugin, Where::callback);
      actor.results_.push_back(result);
      Choices script{pending->script};
      actor.follow(script);
    } catch (const std::exception&) {
      // Nothing may leave a callback.
    }
    pending->ticket.tell();
  }

  void log(Choices& script) {
    const busbar_call* const call = script.flip() ? call_ : nullptr;
    host().log(host().context, call, script.byte(), odd_.text(script));
  }
  void look_for_extension(Choices& script) {
    must(host().extension(host().context, odd_.text(script)) == nullptr, "there is an extension");
  }
  void let_go_of_result() {
    if (results_.empty()) return;
    host().result_release(results_.back());
    results_.pop_back();
  }
  /// The boundary forbids it, and the host survives it where it has called for a call.
  void leave(Choices& script) {
    if (script.byte() == 255 && is_inside()) throw std::runtime_error("left");
  }

  OddPlugin& plugin_;
  const Where where_;
  const std::thread::id thread_ = std::this_thread::get_id();
  busbar_call* call_ = nullptr;
  const busbar_message* message_ = nullptr;
  std::shared_ptr<Served> served_;
  unsigned held_ = 0;
  OddStructs odd_;
  std::vector<busbar_result*> results_;
};

OddPlugin& plugin_of(void* self) noexcept { return *static_cast<OddPlugin*>(self); }

Bytes request_of(const busbar_message* message) noexcept {
  return {message->raw_request.data, message->raw_request.size};
}

/// Looks at a message that is to be served. Who calls is who does, whatever a message has said (C-R8).
void look_at(const busbar_message& message) {
  touch(message);
  const Outsider* outsider = outsider_of(view(message.id));
  must(message.caller == (outsider == nullptr ? BUSBAR_CALLER_LOCAL : outsider->caller), "somebody else calls");
  must(view(message.caller_name) == (outsider == nullptr ? "" : outsider->name), "the caller has another name");
}

std::uint32_t authorize(void* self, const busbar_service*, busbar_call* call, const busbar_message* message) {
  OddPlugin& plugin = plugin_of(self);
  look_at(*message);
  Choices script = script_of(request_of(message), Part::authorize);
  const unsigned verdict = script.below(8);
  Actor(plugin, Where::authorizing, call, message, plugin.stage().ledger.begins(call, *message)).follow(script);
  return verdict < 5 ? BUSBAR_AUTHORIZED : verdict - 4;
}

busbar_status choose_node(void* self, const busbar_service*, busbar_call* call, const busbar_message* message,
                          busbar_node_choice* choice) {
  OddPlugin& plugin = plugin_of(self);
  look_at(*message);
  Choices script = script_of(request_of(message), Part::choose_node);
  const unsigned how = script.byte();
  Actor actor(plugin, Where::choosing, call, message, plugin.stage().ledger.goes_on(call));
  if ((how & 1) != 0) {
    const busbar_text name = actor.odd().text(script);
    const std::size_t size = std::min<std::size_t>(name.size, sizeof choice->name);
    if (size != 0) std::memcpy(choice->name, name.data, size);
    choice->size = static_cast<std::uint32_t>((how & 2) != 0 ? script.number<std::uint32_t>() : size);
  }
  actor.follow(script);
  return (how & 4) == 0 ? BUSBAR_DONE : static_cast<busbar_status>(how >> 3);
}

std::uint32_t handle(void* self, const busbar_service*, busbar_call* call, const busbar_message* message) {
  OddPlugin& plugin = plugin_of(self);
  look_at(*message);
  Choices script = script_of(request_of(message), Part::handle);
  const unsigned returned = script.below(4);
  Ledger& ledger = plugin.stage().ledger;
  const bool is_forwarded = outsider_of(view(message->id)) == &kForwarder;  // authorized elsewhere (C-R6)
  Actor(plugin, Where::handling, call, message, is_forwarded ? ledger.begins(call, *message) : ledger.goes_on(call))
      .follow(script);
  return returned;
}

}  // namespace

// Before it is done: what it begins may say more for the end.
bool Stage::do_what_is_for_the_end() {
  std::deque<std::function<void()>> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(at_end_);
  }
  for (const auto& what : taken) what();
  return !taken.empty();
}

OddPlugin::OddPlugin(Stage& stage, const std::vector<Offer>& offers, std::uint32_t max_running,
                     std::uint32_t max_queued)
    : stage_(stage) {
  for (const Offer& offer : offers) {
    busbar_service service{};
    service.struct_size = static_cast<std::uint32_t>(offer.struct_size);
    service.flags = offer.flags;
    service.name = {offer.name.data(), offer.name.size()};
    service.max_running = offer.max_running;
    service.max_queued = offer.max_queued;
    services_.push_back(std::make_unique<std::uint8_t[]>(offer.struct_size));
    std::memcpy(services_.back().get(), &service, offer.struct_size);
    offered_.push_back(reinterpret_cast<const busbar_service*>(services_.back().get()));
  }
  router_.struct_size = sizeof router_;
  router_.service_count = static_cast<std::uint32_t>(offered_.size());
  router_.services = offered_.data();
  router_.self = this;
  router_.authorize = &authorize;
  router_.choose_node = &choose_node;
  router_.handle = &handle;
  router_.destroy = [](void*) {};
  router_.max_running = max_running;
  router_.max_queued = max_queued;
}

void follow(OddPlugin& plugin, Choices& script) { Actor(plugin, Where::own_thread).follow(script); }

Choices script_of(Bytes request, Part part) noexcept {
  Choices whole(request);
  const Bytes authorize = whole.some();
  const Bytes choose_node = whole.some();
  if (part == Part::authorize) return Choices(authorize);
  return part == Part::choose_node ? Choices(choose_node) : Choices(whole.all());
}

}  // namespace busbar::fuzz
