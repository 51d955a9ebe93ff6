// A keyring file with known keys, and a temporary folder.
#pragma once

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/base/encoding.h"

namespace tocsin::crypto {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "tocsin-keyring-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void WriteFile(const std::string& path, const std::string& text, mode_t mode = 0600) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), mode);
}

// Keys of 32 equal bytes: 'K', 'T', 'D', 'C' by purpose.
inline std::string KnownKeyring() {
  const auto versions = [](char fill) {
    return R"([{"version":1,"created":"2026-01-31T12:00:00Z","key":")" +
           Base64Encode(std::string(32, fill)) + R"("}])";
  };
  return R"({"format":1,"kek_alias":"known","keys":{"kek":)" + versions('K') + R"(,"token":)" +
         versions('T') + R"(,"digest":)" + versions('D') + R"(,"callback":)" + versions('C') + "}}";
}

}  // namespace tocsin::crypto
