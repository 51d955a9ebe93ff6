// What the commands of `tocsin` share: common options, output, exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace tocsin::cli {

constexpr int kDone = 0;
constexpr int kRefused = 1;      // refused or failed
constexpr int kWrongUse = 2;     // usage error
constexpr int kUnreachable = 3;  // the service is unreachable or unavailable

// Options of every command. CLI11 sets them before a command runs.
struct Common {
  bool json = false;  // --output json
};

// Runs a command and returns the exit code.
using Action = std::function<int(const Common&)>;

// Each adds its verbs to `app`. A verb on the command line sets `action`.
void AddSend(CLI::App& app, Action& action);
void AddGet(CLI::App& app, Action& action);
void AddCancel(CLI::App& app, Action& action);  // cancel, ack
void AddList(CLI::App& app, Action& action);
void AddWatch(CLI::App& app, Action& action);
void AddBulk(CLI::App& app, Action& action);
void AddDlq(CLI::App& app, Action& action);
void AddCompletion(CLI::App& app, Action& action);
void AddWebhook(CLI::App& app, Action& action);
void AddKeyring(CLI::App& app, Action& action);
void AddErrorCodes(CLI::App& app, Action& action);
void AddPlan(CLI::App& app, Action& action);

// Validates the files and addresses that environment variables name, and prints the errors on
// stderr.
int CheckConfig();

// Data goes to stdout, messages to stderr.
void PrintJson(const nlohmann::json& json);

// Prints "tocsin: field: message (REASON)" on stderr. Returns the exit code.
int Report(const Error& error);

// The same for an error of the command line or of a file that it names. Returns kWrongUse.
int ReportMisuse(const Error& error);

constexpr size_t kMaxFile = 1 << 20;

// The content of the file; `-` is stdin. Fails with kInvalidArgument above `limit` bytes.
Result<std::string> ReadFile(const std::string& path, size_t limit = kMaxFile);

// The same without one trailing line break.
Result<std::string> ReadTextFile(const std::string& path);
Result<Secret> ReadSecretFile(const std::string& path);

}  // namespace tocsin::cli
