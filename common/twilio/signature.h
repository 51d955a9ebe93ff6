// Twilio's request signature: X-Twilio-Signature is base64(HMAC-SHA1(auth token, URL and
// parameters)). Source: twilio.com/docs/usage/security; where the SDKs differ, what Python's and
// Node's agree on. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "common/base/secret.h"
#include "common/domain/registry.h"

namespace tocsin::twilio {

// URLs are as Twilio requested them: scheme, host, port, path and query with their escapes
// untouched. A fragment is cut off, for Twilio neither sends nor signs it. Fields are the decoded
// ones of a form body, all of them, also those nobody knows; none for GET and JSON.

// The signature of a form POST (or, without fields, of a GET or of a URL that carries bodySHA256).
std::string Sign(const Secret& token, std::string_view url, const FormFields& fields);

// `url` with the lower-case hex SHA-256 of a JSON body appended to its query, as Twilio requests
// it. A hash that stood there goes: the first one of a query counts.
std::string WithBodyHash(std::string_view url, std::string_view body);

// Whether `signature` is of `token` over the URL without its port, or with its port (443 or 80 when
// it has none): Twilio drops the port for some products and keeps it for others. User and password
// in the URL may be signed or left out. Constant time in token and signature. An empty token signs
// nothing.
bool VerifyForm(const Secret& token, std::string_view url, const FormFields& fields,
                std::string_view signature);

// For a JSON body: as above without fields, and the first bodySHA256 of the query must be the
// lower-case hex SHA-256 of the raw `body`.
bool VerifyJson(const Secret& token, std::string_view url, std::string_view body,
                std::string_view signature);

// W3: both tokens of an account are good while it rotates them.
enum class SignedBy { kNobody, kPrimary, kSecondary };
std::string_view NameOf(SignedBy who);

// Whether a request is signed by HMAC-SHA1 with the auth token, the only way there is to verify
// here. `settings` is its header X-Twilio-Webhooks-Signature-Settings, "key=<id>,algorithm=<name>",
// empty without one; no algorithm means HMAC-SHA1. A request that names another one is to be
// refused, whatever its signature (Twilio: webhooks security, SharedKey signing).
bool IsSignedByToken(std::string_view settings);  // "", "primary", "secondary"

SignedBy WhoSignedForm(const Account& account, std::string_view url, const FormFields& fields,
                       std::string_view signature);
SignedBy WhoSignedJson(const Account& account, std::string_view url, std::string_view body,
                       std::string_view signature);

}  // namespace tocsin::twilio
