#include <curl/curl.h>

#include <iostream>

#include "common/base/encoding.h"
#include "common/twilio/signature.h"
#include "tools/tocsin/command.h"

namespace tocsin::cli {
namespace {

constexpr size_t kMaxFields = 1000;
constexpr long kSendLimitSeconds = 15;   // Twilio's own
constexpr size_t kMaxAnswer = 1u << 20;  // bytes; what a webhook answers is far smaller

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

struct Answer {
  long status = 0;
  std::string body;
};

// curl's callback. Taking less than was offered ends the transfer.
size_t Keep(char* data, size_t size, size_t count, void* out) {
  std::string& body = static_cast<Answer*>(out)->body;
  if (size * count > kMaxAnswer - body.size()) return 0;
  body.append(data, size * count);
  return size * count;
}

// The URL goes out as it was signed, straight to the host it names: nothing on the way may see or
// change the request.
void SetRequest(CURL* curl, const Webhook& webhook, const curl_slist* headers) {
  curl_easy_setopt(curl, CURLOPT_URL, webhook.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(webhook.body.size()));
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, webhook.body.data());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, kSendLimitSeconds);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "TwilioProxy/1.1");
}

Result<Answer> Post(const Webhook& webhook, const std::string& signature) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  curl_slist* headers = curl_slist_append(nullptr, ("X-Twilio-Signature: " + signature).c_str());
  headers = curl_slist_append(headers, webhook.is_json
                                           ? "Content-Type: application/json"
                                           : "Content-Type: application/x-www-form-urlencoded");
  SetRequest(curl.get(), webhook, headers);
  Answer answer;
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, Keep);
  const CURLcode sent = curl_easy_perform(curl.get());
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  curl_slist_free_all(headers);
  if (sent == CURLE_WRITE_ERROR)
    return Fail(ErrorCode::kInternal, "the URL answered more than 1 MiB");
  if (sent != CURLE_OK)
    return Fail(ErrorCode::kOverloaded,
                std::string("the URL did not answer: ") + curl_easy_strerror(sent));
  return answer;
}

// POSTs the webhook as Twilio would. What is in it stays off the command line and the log.
int Send(const Options& options, const Common& common) {
  auto webhook = Read(options);
  if (!webhook) return Report(webhook.error());
  if (webhook->is_json) webhook->url = twilio::WithBodyHash(webhook->url, webhook->body);
  const auto answer = Post(*webhook, twilio::Sign(webhook->token, webhook->url, webhook->fields));
  if (!answer) {
    std::cerr << "tocsin: " << answer.error().message << '\n';
    return answer.error().code == ErrorCode::kOverloaded ? kUnreachable : kRefused;
  }
  if (common.json) {
    PrintJson({{"status", answer->status}, {"body", answer->body}});
  } else {
    std::cout << answer->status << (answer->body.empty() ? "" : " ") << answer->body << '\n';
  }
  return answer->status >= 200 && answer->status < 300 ? kDone : kRefused;
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
