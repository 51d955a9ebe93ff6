// Reads all pages of a Twilio list.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/encoding.h"
#include "common/twilio/rest/rest_client.h"

namespace tocsin::twilio {

constexpr int kListPageSize = 100;
constexpr int kMaxListPages = 50;  // of one list; more is an error
// Bytes of one message with the longest body, escaped.
constexpr size_t kMaxListedMessage = 12 * 1024;

struct ListRequest {
  const Account& account;
  std::string resource;  // "Messages.json"
  std::string member;    // the array in the response, "messages"
  FormFields filters;
};

// Handles one entry, a JSON object. Returns whether later entries may be wanted: lists are sorted
// newest first. Fails with kTwilioApiError if the entry is invalid.
using EntryHandler = std::function<Result<bool>(const nlohmann::json& entry)>;

// Calls `handler` for each entry, until a page has none after which others may be wanted. Ends at
// `deadline` at the latest. Arguments must outlive the task. Fails with kTwilioApiError if a page
// cannot be read or is invalid, and beyond kMaxListPages.
Task<Status> ReadList(RestClient& client, const ListRequest& request, SteadyTime deadline,
                      const EntryHandler& handler);

// GETs and parses one page. Ends and fails as ReadList().
Task<Result<nlohmann::json>> ReadPage(RestClient& client, const Account& account,
                                      const std::string& path, SteadyTime deadline,
                                      size_t max_entries);

// Parses an RFC 2822 date. Fails as InvalidList().
Result<WallTime> ParseDate(const std::string& text);

tl::unexpected<Error> InvalidList();  // kTwilioApiError

}  // namespace tocsin::twilio
