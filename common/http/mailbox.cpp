#include "common/http/mailbox.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace tocsin::http {

Mailbox::Mailbox() : bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!bell_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void Mailbox::Post(Mail mail) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    mail_.push_back(std::move(mail));
    if (!std::exchange(asleep_, false)) return;
  }
  ::eventfd_write(bell_.get(), 1);  // fails only when the bell has been rung 2^64 times unheard
}

void Mailbox::Take(std::vector<Mail>& empty) {
  const std::lock_guard lock(mutex_);
  asleep_ = mail_.empty();
  mail_.swap(empty);
}

void Mailbox::StayAwake() {
  const std::lock_guard lock(mutex_);
  asleep_ = false;
}

void Mailbox::Close() {
  std::vector<Mail> unread;  // destroyed after the lock is let go
  const std::lock_guard lock(mutex_);
  closed_ = true;
  mail_.swap(unread);
}

void Mailbox::Silence() const {
  eventfd_t rings = 0;
  ::eventfd_read(bell_.get(), &rings);
}

}  // namespace tocsin::http
