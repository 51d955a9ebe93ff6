// Twilio's request signature: X-Twilio-Signature is base64(HMAC-SHA1(auth token, URL and
// parameters)). Source: twilio.com/docs/usage/security; where the SDKs differ, the behaviour that
// the Python and Node SDKs share. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/base/encoding.h"
#include "common/base/secret.h"
#include "common/domain/registry/registry.h"
#include "tocsin/records/v1/records.pb.h"

namespace tocsin::twilio {

// URLs are the URLs that Twilio requested: scheme, host, port, path and query, not decoded. A
// fragment is ignored, because Twilio neither sends nor signs it. Fields are all decoded fields of
// a form body, also unknown ones; none for GET and JSON.

// The signature of a form POST, or, without fields, of a GET or of a URL with bodySHA256.
std::string Sign(const Secret& token, std::string_view url, const FormFields& fields);

// `url` with bodySHA256, the lower-case hex SHA-256 of a JSON body, at the end of its query.
// Removes an existing bodySHA256, because the first one of a query counts.
std::string WithBodyHash(std::string_view url, std::string_view body);

// Whether `signature` is a signature by `token` of the URL without its port, or with its port (443
// or 80 if it has none): Twilio signs the port for some products only. User and password of the URL
// may be signed or not. Constant time in token and signature. False for an empty token.
bool VerifyForm(const Secret& token, std::string_view url, const FormFields& fields,
                std::string_view signature);

// For a JSON body: as above without fields, and the first bodySHA256 of the query must be the
// lower-case hex SHA-256 of the raw `body`.
bool VerifyJson(const Secret& token, std::string_view url, std::string_view body,
                std::string_view signature);

// Whether a request is signed by HMAC-SHA1 with the auth token, which is all that can be verified
// here. `settings` is its header X-Twilio-Webhooks-Signature-Settings, "key=<id>,algorithm=<name>",
// empty without it; no algorithm means HMAC-SHA1. A request with another algorithm must be refused
// (Twilio: webhooks security, SharedKey signing).
bool IsSignedByToken(std::string_view settings);

// The auth token of the account that made the signature; SIGNING_TOKEN_UNSPECIFIED if neither did.
// Both tokens are valid during a rotation.
records::v1::SigningToken SigningTokenOfForm(const Account& account, std::string_view url,
                                             const FormFields& fields, std::string_view signature);
records::v1::SigningToken SigningTokenOfJson(const Account& account, std::string_view url,
                                             std::string_view body, std::string_view signature);

}  // namespace tocsin::twilio
