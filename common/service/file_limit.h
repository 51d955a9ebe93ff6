// The number of files and connections that a service may have open.
#pragma once

namespace tocsin::service {

// Raises the soft limit to the hard one. The default of the soft limit is 1024 for the sake of
// programs that call select(), and less than the connections of a worker. Does nothing if the
// system refuses it.
void RaiseFileLimit();

}  // namespace tocsin::service
