#include "remote/side.hpp"
namespace bench {
MakeSide busbar_side(Service, Callers) { return raw_side(); }
}  // namespace bench
