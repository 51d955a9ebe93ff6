// Reading a list of Twilio's whole, page by page.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "common/base/encoding.h"
#include "common/twilio/rest.h"

namespace tocsin::twilio {

constexpr int kListPageSize = 20;  // the largest bodies of so many fit kMaxAnswer
constexpr int kMaxListPages = 50;  // of one question; more is an error

struct ListQuestion {
  const Account& account;
  std::string resource;  // "Messages.json"
  std::string member;    // the array in its answer, "messages"
  FormFields filters;
};

// Takes one entry, a JSON object. Says whether entries behind it may be wanted too: lists are
// newest first. kTwilioApiError for what it cannot read.
using TakeEntry = std::function<Result<bool>(const nlohmann::json& entry)>;

// Gives every entry to `take`, until a page holds none behind which others may be wanted. Blocks,
// never past `deadline`. kTwilioApiError for an answer that was not read whole, and for a list of
// more than kMaxListPages.
Status ReadList(RestClient& rest, const ListQuestion& question, SteadyTime deadline,
                const TakeEntry& take);

// The member when it is a text, else an empty one.
std::string TextOf(const nlohmann::json& object, const char* member);

// An RFC 2822 date of Twilio's. kTwilioApiError for anything else.
Result<WallTime> TimeOf(const std::string& text);

tl::unexpected<Error> UnreadableList();

}  // namespace tocsin::twilio
