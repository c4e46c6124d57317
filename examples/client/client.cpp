// client SEED [NAME]: becomes a member of the cluster through SEED (the registry_address that `busbar status` shows),
// waits until somebody provides "greet", calls it, and prints the answer.
#include <chrono>
#include <iostream>
#include <node/node.hpp>
#include <string>

struct Greet {
  std::string name;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name));
  }
};

struct Greeting {
  std::string text;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(text));
  }
};

int main(int count, char** arguments) try {
  using namespace std::chrono_literals;
  if (count < 2) throw std::runtime_error("expected the registry address of a node, such as tcp://127.0.0.1:4711");
  busbar::Node node({.join = {arguments[1]}});
  if (!node.wait_for("greet", 10s)) {
    throw std::runtime_error("nobody provides \"greet\" " + node.refusal());
  }
  std::cout << node.call<Greeting>("greet", Greet{count > 2 ? arguments[2] : "world"}).text << "\n";
} catch (const std::exception& error) {
  std::cerr << "client: " << error.what() << "\n";
  return 1;
}
