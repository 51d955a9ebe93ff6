// What the commands of `tocsin` share: options, output, exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace tocsin::cli {

constexpr int kDone = 0;
constexpr int kRefused = 1;  // refused or failed
constexpr int kWrongUse = 2;
constexpr int kUnreachable = 3;

// Options every command takes. Filled by CLI11 before a command runs.
struct Common {
  bool json = false;  // --output json
};

// A command that was chosen on the command line; its value is the exit code.
using Action = std::function<int(const Common&)>;

// Each adds its verb to `app` and sets `action` when it is the one that was asked for.
void AddSend(CLI::App& app, Action& action);
void AddStatus(CLI::App& app, Action& action);
void AddMarks(CLI::App& app, Action& action);  // cancel, ack
void AddList(CLI::App& app, Action& action);
void AddWatch(CLI::App& app, Action& action);
void AddBulk(CLI::App& app, Action& action);
void AddDlq(CLI::App& app, Action& action);
void AddReport(CLI::App& app, Action& action);
void AddCompletion(CLI::App& app, Action& action);
void AddWebhook(CLI::App& app, Action& action);
void AddKeyring(CLI::App& app, Action& action);
void AddErrors(CLI::App& app, Action& action);

// Reports, on stderr, which of the environment's files and addresses cannot be used; kDone when all
// can.
int CheckConfig();

// Data goes to stdout, words to stderr.
void PrintJson(const nlohmann::json& json);

// "what happened: why (REASON)" on stderr; the exit code that fits it.
int Report(const Error& error);

constexpr size_t kMaxFile = 1 << 20;

// The file's content, byte for byte; `-` is stdin. kInvalidConfig beyond `limit` bytes.
Result<std::string> ReadFile(const std::string& path, size_t limit = kMaxFile);

// Without its last line break, which an editor put there.
Result<std::string> ReadTextFile(const std::string& path);
Result<Secret> ReadSecretFile(const std::string& path);

}  // namespace tocsin::cli
