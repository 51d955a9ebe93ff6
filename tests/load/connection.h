// A blocking keep-alive connection over HTTP/1.1: no more of a client than a load needs.
#pragma once

#include <string>
#include <string_view>

namespace tocsin::load {

// For one thread.
class Connection {
 public:
  explicit Connection(const std::string& address);  // HOST:PORT
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Sends the whole request, reads the whole answer and gives its status; 0 when there was none.
  int Ask(std::string_view request);

 private:
  bool ReadMore(std::string& answer) const;
  void Close();

  int fd_ = -1;
};

}  // namespace tocsin::load
