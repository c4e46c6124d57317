// What the figures of our own side share: a node in this process that calls a host in another one.
#pragma once

#include <busbar/message.hpp>

#include <memory>
#include <string>
#include <string_view>

#include "node/node.hpp"
#include "remote/side.hpp"

namespace bench {

enum class Service { kInline, kPooled };
enum class Callers { kOneThread, kBlockingThreads };  // who makes the calls that are under way together

// One call at a time that is to be explained: in a recorded trace that was begun elsewhere.
MakeSide explained_side(Service service);

// `keys`: a directory of BenchKeys; empty: without keys.
MakeSide busbar_side(Service service, Callers callers = Callers::kOneThread, const std::string& keys = {});

// A node without plugins that has joined through `seed` and knows the service; throws where that takes 10 s.
std::unique_ptr<busbar::Node> make_client(const std::string& seed, std::string_view service,
                                          const std::string& keys = {});

// Throws unless the call has succeeded.
void check(const busbar::Message& outcome);

}  // namespace bench
