#include "tools/twilio-sim/messages/opt_out.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace tocsin::sim {
namespace {

constexpr std::array<std::string_view, 8> kStopWords = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL",
                                                        "END",  "QUIT",    "REVOKE",      "OPTOUT"};
constexpr std::array<std::string_view, 3> kStartWords = {"START", "YES", "UNSTOP"};
constexpr std::array<std::string_view, 2> kHelpWords = {"HELP", "INFO"};
constexpr std::array<std::string_view, 7> kTollFree = {"+1800", "+1833", "+1844", "+1855",
                                                       "+1866", "+1877", "+1888"};
constexpr std::string_view kWhitespace = " \t\r\n";

template <typename List>
bool Contains(const List& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

bool IsTollFree(std::string_view sender) {
  return Contains(kTollFree, sender.substr(0, kTollFree[0].size()));
}

OptOutKeyword KeywordOf(std::string_view text, std::string_view sender) {
  const size_t begin = text.find_first_not_of(kWhitespace);
  if (begin == std::string_view::npos) return OptOutKeyword::kNone;
  std::string word;
  for (const char c : text.substr(begin, text.find_last_not_of(kWhitespace) - begin + 1)) {
    word += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  if (Contains(kStopWords, word)) return OptOutKeyword::kStop;
  if (Contains(kHelpWords, word)) return OptOutKeyword::kHelp;
  // Carriers of toll-free numbers do not support YES.
  const bool start = Contains(kStartWords, word) && !(IsTollFree(sender) && word == "YES");
  return start ? OptOutKeyword::kStart : OptOutKeyword::kNone;
}

std::string_view OptOutTypeOf(OptOutKeyword word) {
  switch (word) {
    case OptOutKeyword::kStop: return "STOP";
    case OptOutKeyword::kStart: return "START";
    case OptOutKeyword::kHelp: return "HELP";
    case OptOutKeyword::kNone: return "";
  }
  return "";
}

std::string_view AutoReplyTo(OptOutKeyword word) {
  switch (word) {
    case OptOutKeyword::kStop:
      return "You have been unsubscribed and will receive no more messages from this number. "
             "Reply START to resubscribe.";
    case OptOutKeyword::kStart: return "You have been re-subscribed to messages from this number.";
    case OptOutKeyword::kHelp: return "Reply STOP to unsubscribe. Msg and data rates may apply.";
    case OptOutKeyword::kNone: return "";
  }
  return "";
}

}  // namespace tocsin::sim
