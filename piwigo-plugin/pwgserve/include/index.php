<?php
// Nothing to see in this folder.
http_response_code(404);
