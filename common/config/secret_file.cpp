#include "common/config/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tocsin::config {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

tl::unexpected<ParseError> Refuse(std::string reason, std::string fix) {
  return tl::unexpected<ParseError>(ParseError{std::move(reason), std::move(fix)});
}

tl::unexpected<ParseError> SystemError(int number) {
  return Refuse("names a file that cannot be read: " + std::generic_category().message(number),
                "check the path and the permissions of the file");
}

}  // namespace

Parsed<SmallFile> ReadSmallFile(const std::string& path, size_t limit) {
  // O_NONBLOCK: opening a pipe without a writer would block.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) return SystemError(errno);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return SystemError(errno);
  if (!S_ISREG(status.st_mode))
    return Refuse("does not name a regular file", "name a regular file");
  SmallFile content;
  content.accessible_to_others = (status.st_mode & (S_IRWXO | S_IWGRP)) != 0;
  std::array<char, 4096> part{};
  while (true) {
    const ssize_t count = ::read(file.number(), part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno);
    if (count == 0) return content;
    content.text.append(part.data(), static_cast<size_t>(count));
    if (content.text.size() > limit)
      return Refuse("names a file that is too large",
                    "name a file of at most " + std::to_string(limit) + " bytes");
  }
}

Parsed<SecretFile> ReadSecretFile(const std::string& path) {
  auto file = ReadSmallFile(path, kSecretFileLimit);
  if (!file) return tl::unexpected<ParseError>(file.error());
  std::string& text = file->text;
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  if (text.empty()) return Refuse("names an empty file", "write the secret into the file");
  if (text.find('\0') != std::string::npos)
    return Refuse("names a file that is not text", "write the secret as one line of text");
  return SecretFile{Secret(std::move(text)), file->accessible_to_others};
}

}  // namespace tocsin::config
