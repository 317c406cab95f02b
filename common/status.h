/* SPDX-License-Identifier: Apache-2.0 */
/* status.h: the only bridge from our errors (negative errno) to the guest's (CUresult). */
#pragma once

#include <cuda.h>

CUresult status_of_errno(int negative_errno);
