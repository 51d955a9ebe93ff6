#include <curl/curl.h>

#include <iostream>

#include "common/base/encoding.h"
#include "common/twilio/signature.h"
#include "tools/tocsin/command.h"

namespace tocsin::cli {
namespace {

constexpr size_t kMaxFields = 1000;
constexpr long kSendLimitSeconds = 15;  // Twilio's own

// A webhook as it would be sent: a form, a JSON body, or neither (GET).
struct Options {
  std::string token_file;
  std::string url;
  std::string form_file;
  std::string json_file;
  std::string signature;

  void AddTo(CLI::App& command) {
    command.add_option("--token-file", token_file, "file that holds the account's auth token")
        ->envname("TOCSIN_TWILIO_AUTH_TOKEN_FILE")
        ->required();
    command.add_option("--url", url, "the URL as Twilio requests it")->required();
    auto* form =
        command.add_option("--form", form_file, "file with the form body, url-encoded; - is stdin");
    auto* json = command.add_option("--json", json_file, "file with the JSON body; - is stdin");
    form->excludes(json);
  }
};

struct Webhook {
  Secret token;
  std::string url;  // carries bodySHA256 for a JSON body that is to be signed
  std::string body;
  FormFields fields;
  bool is_json = false;
};

Result<Webhook> Read(const Options& options) {
  Webhook webhook;
  TOCSIN_TRY(webhook.token, ReadSecretFile(options.token_file));
  webhook.url = options.url;
  webhook.is_json = !options.json_file.empty();
  if (webhook.is_json) {
    TOCSIN_TRY(webhook.body, ReadFile(options.json_file));
  } else if (!options.form_file.empty()) {
    TOCSIN_TRY(webhook.body, ReadTextFile(options.form_file));
    TOCSIN_TRY(webhook.fields, FormDecode(webhook.body, kMaxFields));
  }
  return webhook;
}

int Sign(const Options& options, const Common& common) {
  auto webhook = Read(options);
  if (!webhook) return Report(webhook.error());
  if (webhook->is_json) webhook->url = twilio::WithBodyHash(webhook->url, webhook->body);
  const std::string signature = twilio::Sign(webhook->token, webhook->url, webhook->fields);
  if (common.json) {
    PrintJson({{"signature", signature}, {"url", webhook->url}});
  } else {
    if (webhook->is_json) std::cerr << "for the URL " << webhook->url << '\n';
    std::cout << signature << '\n';
  }
  return kDone;
}

int Verify(const Options& options, const Common& common) {
  const auto webhook = Read(options);
  if (!webhook) return Report(webhook.error());
  const bool valid =
      webhook->is_json
          ? twilio::VerifyJson(webhook->token, webhook->url, webhook->body, options.signature)
          : twilio::VerifyForm(webhook->token, webhook->url, webhook->fields, options.signature);
  if (common.json) {
    PrintJson({{"valid", valid}});
  } else {
    std::cout << (valid ? "valid" : "not valid") << '\n';
  }
  return valid ? kDone : kRefused;
}

// POSTs the webhook as Twilio would. What is in it stays off the command line and the log.
int Send(const Options& options, const Common& common) {
  auto webhook = Read(options);
  if (!webhook) return Report(webhook.error());
  if (webhook->is_json) webhook->url = twilio::WithBodyHash(webhook->url, webhook->body);
  const std::string signature = twilio::Sign(webhook->token, webhook->url, webhook->fields);
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  curl_slist* headers = curl_slist_append(nullptr, ("X-Twilio-Signature: " + signature).c_str());
  headers = curl_slist_append(headers, webhook->is_json
                                           ? "Content-Type: application/json"
                                           : "Content-Type: application/x-www-form-urlencoded");
  std::string answer;
  curl_easy_setopt(curl.get(), CURLOPT_URL, webhook->url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(webhook->body.size()));
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, webhook->body.data());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, kSendLimitSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_USERAGENT, "TwilioProxy/1.1");
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(
      curl.get(), CURLOPT_WRITEFUNCTION,
      +[](char* data, size_t size, size_t count, void* out) -> size_t {
        static_cast<std::string*>(out)->append(data, size * count);
        return size * count;
      });
  const CURLcode sent = curl_easy_perform(curl.get());
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(headers);
  if (sent != CURLE_OK) {
    std::cerr << "tocsin: the URL did not answer: " << curl_easy_strerror(sent) << '\n';
    return kUnreachable;
  }
  if (common.json) {
    PrintJson({{"status", status}, {"body", answer}});
  } else {
    std::cout << status << (answer.empty() ? "" : " ") << answer << '\n';
  }
  return status >= 200 && status < 300 ? kDone : kRefused;
}

void AddVerb(CLI::App& parent, const char* name, const char* help, Action& action,
             int (*run)(const Options&, const Common&), bool with_signature) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *parent.add_subcommand(name, help);
  options->AddTo(command);
  if (with_signature)
    command.add_option("--signature", options->signature, "X-Twilio-Signature as it came")
        ->required()
        ->expected(0, 1);  // an empty one is a signature too: not a valid one
  command.callback([options, &action, run] {
    action = [options, run](const Common& common) { return run(*options, common); };
  });
}

}  // namespace

void AddWebhook(CLI::App& app, Action& action) {
  CLI::App& webhook = *app.add_subcommand("webhook", "sign, check and send Twilio webhooks");
  webhook.require_subcommand(1);
  AddVerb(webhook, "sign", "the signature Twilio would send", action, Sign, false);
  AddVerb(webhook, "verify", "whether a signature is good: exit 0 valid, 1 not", action, Verify,
          true);
  AddVerb(webhook, "send", "sign and POST it as Twilio would", action, Send, false);
}

}  // namespace tocsin::cli
