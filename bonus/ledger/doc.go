// Package ledger keeps what was booked, in one SQLite file behind database/sql.
//
//	settlement, terms --Propose--> hash --Book (somebody else)--> bookings, lines, accounts
//
// A booking closes one settlement period of an agreement in one transaction. It
// happens only when the period is over, its terms are sealed, the periods before
// it are booked, and a second person in the role that the terms name has accepted
// the hash of exactly what is booked.
//
// Each line has a key, by which later settlements know it again: see [Line]. What
// a settlement says otherwise than was booked becomes a correction, which names
// the line, and the cases behind the difference. The sum of what is booked under
// a key is what the last settlement that was booked says, but for what came too
// late under the terms.
//
// Nothing is overwritten: rows are only added, each with the SHA-256 of itself and
// of the row before it ([Ledger.Verify]). Cases stand under random keys; the table
// that says which case has which key is the only one that rows are taken from
// ([Ledger.Erase]).
//
// The driver is imported by the program that opens the ledger. No clock is read:
// days are given.
package ledger
