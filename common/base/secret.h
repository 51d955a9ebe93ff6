// String types that are redacted when printed.
#pragma once

#include <ostream>
#include <string>
#include <utility>

namespace tocsin {

// A string that must not reach a log, an error text or a command line: a token, a key, a password
// (Secret), or data that identifies a person or carries a message to them (Pii). Movable value;
// safe to share between threads while unchanged. Printed by a stream or by fmt as its length only.
template <typename Tag>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(std::string value) : value_(std::move(value)) {}

  // The content: only for the provider, the cipher or a comparison.
  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  size_t size() const { return value_.size(); }

  std::string Redacted() const { return "[" + std::to_string(value_.size()) + " hidden]"; }

 private:
  std::string value_;
};

struct SecretTag;
struct PiiTag;
using Secret = Guarded<SecretTag>;
using Pii = Guarded<PiiTag>;

template <typename Tag>
std::ostream& operator<<(std::ostream& out, const Guarded<Tag>& guarded) {
  return out << guarded.Redacted();
}
template <typename Tag>
std::string format_as(const Guarded<Tag>& guarded) {  // fmt's customisation point
  return guarded.Redacted();
}

}  // namespace tocsin
