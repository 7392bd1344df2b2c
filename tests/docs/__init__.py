"""Tests of the pages: links lead somewhere, what is generated is current, and code blocks do what they say."""
