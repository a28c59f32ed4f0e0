#pragma once

#include <functional>

#include <torsion/core/bytes.hpp>

/// What goes back as it came need not be copied: a loan is a view of what is being delivered.
namespace torsion::detail {

/// Whether all of @p part lies in @p whole.
inline bool liesWithin(BytesView part, BytesView whole) noexcept {
    const std::less_equal<const char*> notAfter;  // unlike <=, it may compare what does not belong together
    return notAfter(whole.data(), part.data()) && notAfter(part.data() + part.size(), whole.data() + whole.size());
}

/// Adds @p data to @p loan. @return false if it does not stand where that ends
inline bool extendLoan(BytesView& loan, BytesView data) noexcept {
    if (loan.empty()) {
        loan = data;
    } else if (loan.data() + loan.size() == data.data()) {
        loan = {loan.data(), loan.size() + data.size()};
    } else {
        return false;
    }
    return true;
}

}  // namespace torsion::detail
