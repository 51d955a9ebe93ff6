// Result<T>: a value or an Error from the closed list. Expected failures are values; a library's
// exceptions are caught inside its adapter.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "common/base/error.h"

namespace tocsin {

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

// Makes an error of any Result: `return Fail(ErrorCode::kNoRoute, "…");`
inline tl::unexpected<Error> Fail(ErrorCode code, std::string message, std::string field = {}) {
  return tl::unexpected<Error>(
      Error{.code = code, .message = std::move(message), .field = std::move(field)});
}
inline tl::unexpected<Error> Fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace tocsin

#define TOCSIN_CONCAT_(a, b) a##b
#define TOCSIN_CONCAT(a, b) TOCSIN_CONCAT_(a, b)

// TOCSIN_TRY(const Phone to, Phone::Parse(text)); binds the value or returns the error.
#define TOCSIN_TRY(declaration, expression) \
  TOCSIN_TRY_(TOCSIN_CONCAT(tocsin_result_, __LINE__), declaration, expression)
#define TOCSIN_TRY_(result, declaration, expression)                              \
  auto result = (expression);                                                     \
  if (!result) return tl::unexpected<::tocsin::Error>(std::move(result).error()); \
  declaration = *std::move(result)

// TOCSIN_CHECK_OK(Validate(x)); returns the error, drops the value.
#define TOCSIN_CHECK_OK(expression)                                             \
  do {                                                                          \
    if (auto tocsin_status = (expression); !tocsin_status)                      \
      return tl::unexpected<::tocsin::Error>(std::move(tocsin_status).error()); \
  } while (false)
