// tocsin webhook: signs, verifies and sends Twilio webhooks.
#include <curl/curl.h>

#include <iostream>

#include "common/base/encoding.h"
#include "common/twilio/webhooks/signature.h"
#include "tools/tocsin/command.h"
#include "tools/tocsin/options.h"

namespace tocsin::cli {
namespace {

constexpr const char* kTokenVariable = "TOCSIN_TWILIO_AUTH_TOKEN_FILE";
constexpr size_t kMaxFields = 1000;
constexpr long kSendTimeoutSeconds = 15;   // Twilio's own
constexpr size_t kMaxResponse = 1u << 20;  // bytes

// A webhook: a form, a JSON body, or neither (GET).
struct Options {
  std::string token_file;
  std::string url;
  std::string form_file;
  std::string json_file;
  std::string signature;

  void AddTo(CLI::App& command) {
    command.add_option("--token-file", token_file, "file with the auth token of the account")
        ->envname(kTokenVariable)
        ->type_name(kFile);
    command.add_option("--url", url, "URL as Twilio requests it")->required()->type_name("URL");
    auto* form = command.add_option("--form", form_file, "file with the form body; - is stdin")
                     ->type_name(kFile);
    auto* json = command.add_option("--json", json_file, "file with the JSON body; - is stdin")
                     ->type_name(kFile);
    form->excludes(json);
  }
};

struct Webhook {
  Secret token;
  std::string url;  // with bodySHA256 for a JSON body that is signed
  std::string body;
  FormFields fields;
  bool is_json = false;
};

Result<Webhook> Read(const Options& options) {
  if (options.token_file.empty())
    return Fail(ErrorCode::kInvalidArgument, std::string("is required; or set ") + kTokenVariable,
                "--token-file");
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
  if (!webhook) return ReportMisuse(webhook.error());
  if (webhook->is_json) webhook->url = twilio::WithBodyHash(webhook->url, webhook->body);
  const std::string signature = twilio::Sign(webhook->token, webhook->url, webhook->fields);
  if (common.json) {
    PrintJson({{"signature", signature}, {"url", webhook->url}});
  } else {
    if (webhook->is_json) std::cerr << "signed URL: " << webhook->url << '\n';
    std::cout << signature << '\n';
  }
  return kDone;
}

int Verify(const Options& options, const Common& common) {
  const auto webhook = Read(options);
  if (!webhook) return ReportMisuse(webhook.error());
  const bool valid =
      webhook->is_json
          ? twilio::VerifyJson(webhook->token, webhook->url, webhook->body, options.signature)
          : twilio::VerifyForm(webhook->token, webhook->url, webhook->fields, options.signature);
  if (common.json) {
    PrintJson({{"valid", valid}});
  } else {
    std::cout << (valid ? "valid" : "invalid") << '\n';
  }
  return valid ? kDone : kRefused;
}

struct Response {
  long status = 0;
  std::string body;
};

// curl's callback. To return less than `count` bytes ends the transfer.
size_t AppendBody(char* data, size_t size, size_t count, void* out) {
  std::string& body = static_cast<Response*>(out)->body;
  if (size * count > kMaxResponse - body.size()) return 0;
  body.append(data, size * count);
  return size * count;
}

// Requests the URL unchanged and without a proxy: a proxy could see or change the signed request.
void SetRequest(CURL* curl, const Webhook& webhook, const curl_slist* headers) {
  curl_easy_setopt(curl, CURLOPT_URL, webhook.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(webhook.body.size()));
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, webhook.body.data());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, kSendTimeoutSeconds);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "TwilioProxy/1.1");
}

Result<Response> Post(const Webhook& webhook, const std::string& signature) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  curl_slist* headers = curl_slist_append(nullptr, ("X-Twilio-Signature: " + signature).c_str());
  headers = curl_slist_append(headers, webhook.is_json
                                           ? "Content-Type: application/json"
                                           : "Content-Type: application/x-www-form-urlencoded");
  SetRequest(curl.get(), webhook, headers);
  Response response;
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &response);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, AppendBody);
  const CURLcode sent = curl_easy_perform(curl.get());
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &response.status);
  curl_slist_free_all(headers);
  if (sent == CURLE_WRITE_ERROR)
    return Fail(ErrorCode::kTextTooLong, "response is larger than 1 MiB", "--url");
  if (sent != CURLE_OK)
    return Fail(ErrorCode::kUnreachable, std::string("unreachable: ") + curl_easy_strerror(sent),
                "--url");
  return response;
}

// POSTs the webhook as Twilio would. The body comes from a file: it may contain personal data.
int Send(const Options& options, const Common& common) {
  auto webhook = Read(options);
  if (!webhook) return ReportMisuse(webhook.error());
  if (webhook->is_json) webhook->url = twilio::WithBodyHash(webhook->url, webhook->body);
  const auto response = Post(*webhook, twilio::Sign(webhook->token, webhook->url, webhook->fields));
  if (!response) return Report(response.error());
  if (common.json) {
    PrintJson({{"status", response->status}, {"body", response->body}});
  } else {
    std::cout << response->status << (response->body.empty() ? "" : " ") << response->body << '\n';
  }
  return response->status >= 200 && response->status < 300 ? kDone : kRefused;
}

void AddVerb(CLI::App& parent, const char* name, const char* help, Action& action,
             int (*run)(const Options&, const Common&), bool with_signature) {
  const auto options = std::make_shared<Options>();
  CLI::App& command = *parent.add_subcommand(name, help);
  options->AddTo(command);
  if (with_signature)
    command.add_option("--signature", options->signature, "value of the header X-Twilio-Signature")
        ->required()
        ->type_name(kText)
        ->expected(0, 1);  // may be empty, which is invalid
  command.callback([options, &action, run] {
    action = [options, run](const Common& common) { return run(*options, common); };
  });
}

}  // namespace

void AddWebhook(CLI::App& app, Action& action) {
  CLI::App& webhook = *app.add_subcommand("webhook", "sign, verify and send Twilio webhooks");
  webhook.require_subcommand(1);
  AddVerb(webhook, "sign", "print the signature that Twilio would send", action, Sign, false);
  AddVerb(webhook, "verify", "verify a signature; exit 0 valid, 1 invalid", action, Verify, true);
  AddVerb(webhook, "send", "sign and POST a webhook as Twilio would", action, Send, false);
}

}  // namespace tocsin::cli
