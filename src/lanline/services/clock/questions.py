"""Lines as scripts send them: what stands before the end of the stream is a question, with a newline or without one.

`printf '%H:%M' | nc -N HOST 9529` ends its half of the connection in place of the line. Only for questions, of which a
part does no harm: for data, a stream that ends within a line was cut off (`framing/lines.py`), and must not look whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from lanline.framing.lines import Lines, LinesDecoder


@dataclass(frozen=True, slots=True)
class Questions(Lines):
    """As `Lines`, and the end of the stream ends a line too."""

    def decoder(self) -> QuestionsDecoder:
        """A decoder for one new stream."""
        return QuestionsDecoder(self)


class QuestionsDecoder(LinesDecoder):
    """Splits at every terminator and at the end; no bytes before the end are no line."""

    __slots__ = ()

    def receive_eof(self) -> list[bytes]:
        """See `Decoder.receive_eof`. It never raises EndedInMessage."""
        # What is kept was within the limit, or the error that waits is raised below.
        rest = self.receive_data(self._terminator) if self.kept_bytes else []
        super().receive_eof()
        return rest
