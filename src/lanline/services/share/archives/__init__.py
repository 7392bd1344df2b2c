"""Folders as archives: zip and tar, made while they are sent. Nothing is packed here that was not opened beneath."""
