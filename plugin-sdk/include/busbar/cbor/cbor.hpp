// Payloads: all of busbar/cbor. Which C++ type becomes which CBOR item is told in the documentation ("Payloads").
#pragma once

#include "busbar/cbor/edit.hpp"
#include "busbar/cbor/errors.hpp"
#include "busbar/cbor/input.hpp"
#include "busbar/cbor/json.hpp"
#include "busbar/cbor/names.hpp"
#include "busbar/cbor/output.hpp"
#include "busbar/cbor/reader.hpp"
#include "busbar/cbor/schema.hpp"
#include "busbar/cbor/sink.hpp"
#include "busbar/cbor/to_json_text.hpp"
