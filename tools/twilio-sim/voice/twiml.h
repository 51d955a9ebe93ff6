// Parses TwiML documents: https://www.twilio.com/docs/voice/twiml. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace tocsin::sim {

constexpr size_t kMaxTwiml = 64 * 1024;  // bytes of a document, Twilio's limit
constexpr int kMaxTwimlDepth = 16;       // of nested elements

constexpr int kTwimlTooLarge = 11750;
constexpr int kTwimlParseError = 12100;  // not XML, or no <Response>
constexpr int kTwimlWarning = 12200;     // XML that is not TwiML: Twilio continues
constexpr int kTwimlWrongType = 12300;

struct Verb {
  std::string name = {};  // "Say"
  std::map<std::string, std::string> attributes = {};
  std::string text = {};  // including nested elements; trimmed
  std::vector<Verb> nested = {};

  std::string Attribute(const std::string& wanted, const std::string& otherwise = "") const;
};

// The verbs of the <Response>, in order, or Twilio's error code. Resolves entities (the five of XML
// and character references), skips comments and processing instructions, refuses document types.
tl::expected<std::vector<Verb>, int> ParseTwiml(std::string_view text);

}  // namespace tocsin::sim
