// A minimal HTTP/1.1 client: one blocking keep-alive connection.
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

  // Sends the request, reads the whole response and returns its status; 0 if there was none.
  int Send(std::string_view request);

 private:
  bool ReadMore(std::string& response) const;
  void Close();

  int fd_ = -1;
};

}  // namespace tocsin::load
