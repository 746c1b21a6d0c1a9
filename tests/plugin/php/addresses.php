<?php
// Writes as JSON what pages would hold: addresses.php ROOT DATABASE COOKIE WAY [USER]. Ways: page, answer, mail.

require __DIR__ . '/harness.php';
require __DIR__ . '/gallery.php';

list(, $root, $database, $cookie, $way) = $argv;
if ($cookie !== '') {
    $_COOKIE['pwg_id'] = $cookie;
}
begin($root, $database, true);
$rows = rows();
trigger_notify('loc_begin_index_thumbnails', $rows);
$before = Database::$questions;

if ($way === 'recipient') {
    // As Piwigo writes notification mails: as the recipient, in somebody else's request.
    $user = user_row((int) $argv[5]);
}
$service = new class {
    public function hasMethod($name)
    {
        return false;
    }
};
if ($way === 'answer') {
    trigger_notify('ws_add_methods', array($service));
}
$found = array();
foreach ($rows as $row) {
    $found[$row['id']] = array('sq' => derivative_url($row, 'square'), 'me' => derivative_url($row, 'medium'), 'e' => source_url($row));
    if ($way === 'answer') {
        $found[$row['id']]['element_url'] = embellish_url(get_root_url() . $row['path']);
        $found[$row['id']]['download_url'] = get_action_url($row['id'], 'e', true);
    }
}
$state = json_decode(isset($conf["pwgserve"]) ? (string) $conf["pwgserve"] : "", true);
echo json_encode(array(
    'photos' => $found,
    'questions' => Database::$questions - $before,
    'style' => $conf['derivative_url_style'],
    'problem' => isset($state['problem']) ? $state['problem'] : null,
));
