"""A folder beneath which files can be reached, and nothing else: the one door to files whose names others choose.

    with Folder("photos") as folder, folder.open(("2024", "beach.jpg")) as opened:
        os.read(opened.fd, opened.status.st_size)

Which names are refused is in `names`, what staying beneath means in `folder`, how files come to be in `draft`. It knows
nothing of networks and nothing of who may do what.
"""

from lanline.beneath.draft import Draft as Draft
from lanline.beneath.folder import Entries as Entries
from lanline.beneath.folder import Entry as Entry
from lanline.beneath.folder import Folder as Folder
from lanline.beneath.names import DRAFT_PREFIX as DRAFT_PREFIX
from lanline.beneath.names import Names as Names
from lanline.beneath.names import check_name as check_name
from lanline.beneath.names import is_draft as is_draft
from lanline.beneath.opened import Opened as Opened
