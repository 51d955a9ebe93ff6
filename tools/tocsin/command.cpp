#include "tools/tocsin/command.h"

#include <fstream>
#include <iostream>
#include <iterator>

namespace tocsin::cli {
namespace {

constexpr size_t kMaxFile = 1 << 20;

}  // namespace

void PrintJson(const nlohmann::json& json) {
  std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

int Report(const Error& error) {
  const ErrorTraits traits = TraitsOf(error.code);
  std::cerr << "tocsin: " << (error.field.empty() ? "" : error.field + ": ") << error.message
            << " (" << traits.name << ")\n";
  switch (error.code) {
    case ErrorCode::kInvalidConfig: return kWrongUse;
    case ErrorCode::kOverloaded:
    case ErrorCode::kRedisUnavailable:
    case ErrorCode::kKafkaUnavailable:
    case ErrorCode::kPostgresUnavailable: return kUnreachable;
    default: return kRefused;
  }
}

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  if (!in) return Fail(ErrorCode::kInvalidConfig, "cannot be read", path);
  std::string text;
  for (std::istreambuf_iterator<char> it(in), end; it != end; ++it) {
    if (text.size() == kMaxFile)
      return Fail(ErrorCode::kInvalidConfig, "is larger than 1 MiB", path);
    text += *it;
  }
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Result<Secret> ReadSecretFile(const std::string& path) {
  TOCSIN_TRY(std::string text, ReadFile(path));
  if (text.empty()) return Fail(ErrorCode::kInvalidConfig, "is empty", path);
  return Secret(std::move(text));
}

}  // namespace tocsin::cli
