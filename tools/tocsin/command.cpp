#include "tools/tocsin/command.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string_view>
#include <system_error>

namespace tocsin::cli {
namespace {

constexpr size_t kBlock = 64 << 10;
constexpr int kGrpcUnavailable = 14;  // grpc::StatusCode, named here to avoid the dependency

// 1 MiB -> "1 MiB", 64 KiB -> "64 KiB"
std::string SizeText(size_t bytes) {
  return bytes < (1 << 20) ? std::to_string(bytes >> 10) + " KiB"
                           : std::to_string(bytes >> 20) + " MiB";
}

void PrintError(const Error& error) {
  std::cerr << "tocsin: " << (error.field.empty() ? "" : error.field + ": ")
            << (error.message.empty() ? "no details" : error.message) << " ("
            << TraitsOf(error.code).name << ")\n";
}

}  // namespace

void PrintJson(const nlohmann::json& json) {
  std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

int CheckConfig() {
  int code = kDone;
  for (const char* name : {"TOCSIN_API_KEY_FILE", "TOCSIN_TWILIO_AUTH_TOKEN_FILE"}) {
    const char* path = std::getenv(name);
    if (path == nullptr) continue;
    if (const auto read = ReadSecretFile(path); !read) {
      std::cerr << "tocsin: " << name << ": file " << read.error().message << '\n';
      code = kWrongUse;
    }
  }
  for (const char* name : {"TOCSIN_INGRESS_GRPC", "TOCSIN_AUDIT_GRPC"}) {
    const char* address = std::getenv(name);
    if (address == nullptr || std::string_view(address).find(':') != std::string_view::npos)
      continue;
    std::cerr << "tocsin: " << name << ": is not host:port\n";
    code = kWrongUse;
  }
  if (code == kDone) std::cout << "configuration OK\n";
  return code;
}

int Report(const Error& error) {
  PrintError(error);
  if (error.code == ErrorCode::kInvalidConfig) return kWrongUse;
  return TraitsOf(error.code).grpc_status == kGrpcUnavailable ? kUnreachable : kRefused;
}

int ReportMisuse(const Error& error) {
  PrintError(error);
  return kWrongUse;
}

Result<std::string> ReadFile(const std::string& path, size_t limit) {
  std::error_code ignored;
  if (path != "-" && std::filesystem::is_directory(path, ignored))
    return Fail(ErrorCode::kInvalidArgument, "cannot be read: is a directory", path);
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  std::string text;
  std::array<char, kBlock> block;
  while (in.read(block.data(), block.size()) || in.gcount() > 0) {
    text.append(block.data(), static_cast<size_t>(in.gcount()));
    if (text.size() > limit)
      return Fail(ErrorCode::kInvalidArgument, "is larger than " + SizeText(limit), path);
  }
  // Without the end-of-file flag the file was not opened, or reading failed: a directory as stdin.
  if (!in.eof() || in.bad()) return Fail(ErrorCode::kInvalidArgument, "cannot be read", path);
  return text;
}

Result<std::string> ReadTextFile(const std::string& path) {
  TOCSIN_TRY(std::string text, ReadFile(path));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Result<Secret> ReadSecretFile(const std::string& path) {
  TOCSIN_TRY(std::string text, ReadTextFile(path));
  if (text.empty()) return Fail(ErrorCode::kInvalidArgument, "is empty", path);
  return Secret(std::move(text));
}

}  // namespace tocsin::cli
