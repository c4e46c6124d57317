#include "router.hpp"

void Greet::validate(busbar::Problems& problems) const {
  if (name.empty() || name.size() > 100) problems.add("name", "1 to 100 bytes", std::to_string(name.size()));
  if (greeting.empty() || greeting.size() > 100) {
    problems.add("greeting", "1 to 100 bytes", std::to_string(greeting.size()));
  }
}

// Declares the services, and does nothing else: it also runs when the plugin is built, and in the process that a host
// tries it in. Files, connections and threads are opened in `start`.
MyPluginRouter::MyPluginRouter() {
  service("my_plugin_greet", &MyPluginRouter::greet)
      .doc("Greets somebody by name.")
      .example(Greet{"Ada"})
      .dry_run_safe();  // because it looks at dry_run() below
  service("my_plugin_greeted", &MyPluginRouter::greeted)
      .doc("How many were greeted, and who was the last.")
      .dry_run_safe()  // because it changes nothing
      .idempotent();   // so another node may be asked when one is lost
}

// Everything is forbidden until this says otherwise. Here everybody may do everything. To be stricter, look at who is
// said to ask, `message.assigned<std::string>("user")`, and what for, `message.service_name()`. It is the caller's
// word: nothing where it is not said; where it is no text this throws, and the caller is answered badrpc, with the
// reason.
busbar::Authorization MyPluginRouter::authorize(const busbar::Message&) { return busbar::authorized(); }

Greeting MyPluginRouter::greet(const Greet& request, busbar::Context& context) {
  if (context.message().dry_run() == busbar::DryRun::no) {
    const busbar::MutexLock lock(mutex_);
    ++greeted_.count;
    greeted_.last = request.name;
  }
  return {request.greeting + ", " + request.name + "!"};
}

Greeted MyPluginRouter::greeted() {
  const busbar::MutexLock lock(mutex_);
  return greeted_;
}

BUSBAR_PLUGIN(MyPluginRouter, "my-plugin", "0.1.0")
