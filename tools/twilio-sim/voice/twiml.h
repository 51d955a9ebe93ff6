// A TwiML document, read into its verbs: https://www.twilio.com/docs/voice/twiml. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace tocsin::sim {

constexpr size_t kMaxTwiml = 64 * 1024;  // bytes of a document, Twilio's limit
constexpr int kMaxTwimlDepth = 16;       // elements in each other

constexpr int kTwimlTooLarge = 11750;
constexpr int kTwimlUnreadable = 12100;  // not XML, or no Response
constexpr int kTwimlOddity = 12200;      // XML that is not TwiML: Twilio warns and goes on
constexpr int kTwimlWrongType = 12300;

struct Verb {
  std::string name = {};  // "Say"
  std::map<std::string, std::string> attributes = {};
  std::string text = {};  // all characters in it, those of nested elements too, outer blanks cut
  std::vector<Verb> nested = {};

  std::string Attribute(const std::string& wanted, const std::string& otherwise = "") const;
};

// The verbs of the Response, in order; or Twilio's code for what is wrong. Entities are resolved
// (the five of XML and numbers), comments and instructions skipped; a document type is refused.
tl::expected<std::vector<Verb>, int> ParseTwiml(std::string_view text);

}  // namespace tocsin::sim
