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

tl::unexpected<Complaint> Refuse(std::string reason, std::string fix) {
  return tl::unexpected<Complaint>(Complaint{std::move(reason), std::move(fix)});
}

tl::unexpected<Complaint> SystemFault(int number) {
  return Refuse("names a file that cannot be read: " + std::generic_category().message(number),
                "check the path and that this user may read the file");
}

}  // namespace

Parsed<SmallFile> ReadSmallFile(const std::string& path, size_t limit) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) return SystemFault(errno);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return SystemFault(errno);
  if (!S_ISREG(status.st_mode)) return Refuse("names what is no plain file", "name a plain file");
  SmallFile content;
  content.open_to_others = (status.st_mode & (S_IRWXO | S_IWGRP)) != 0;
  std::array<char, 4096> part{};
  while (true) {
    const ssize_t count = ::read(file.number(), part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemFault(errno);
    if (count == 0) return content;
    content.text.append(part.data(), static_cast<size_t>(count));
    if (content.text.size() > limit)
      return Refuse("names a file that is too large",
                    "name a file of at most " + std::to_string(limit) + " bytes");
  }
}

Parsed<SecretFile> ReadSecretFile(const std::string& path) {
  auto file = ReadSmallFile(path, kSecretFileLimit);
  if (!file) return tl::unexpected<Complaint>(file.error());
  std::string& text = file->text;
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  if (text.empty()) return Refuse("names an empty file", "write the secret into the file");
  if (text.find('\0') != std::string::npos)
    return Refuse("names a file that is not text", "write the secret as one line of text");
  return SecretFile{Secret(std::move(text)), file->open_to_others};
}

}  // namespace tocsin::config
