<?php
// Writes as JSON what pages would hold: addresses.php ROOT DATABASE COOKIE WAY [MORE]. Ways: page; answer (of ws.php);
// recipient (a page written as another user); mail (to the users named); letter (the same, from a page
// that does not say so before); missing (calls of batch generation).

require __DIR__ . '/harness.php';
require __DIR__ . '/gallery.php';

list(, $root, $database, $cookie, $way) = $argv;
if ($cookie !== '') {
    $_COOKIE['pwg_id'] = $cookie;
}
if ($way === 'mail') {
    define('IN_ADMIN', true);
    $_POST['submitEmail'] = '1';
}
begin($root, $database, true);
$rows = rows();
trigger_notify('loc_begin_index_thumbnails', $rows);
$before = Database::$questions;

if ($way === 'recipient') {
    // As Piwigo writes notification mails: as the recipient, in somebody else's request.
    $user = user_row((int) $argv[5]);
}
$service = new StandInService();
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
if ($way === 'mail' || $way === 'letter') {
    $mail = new StandInMail('<img src="' . $found[2]['me'] . '"> <img src="' . $found[1]['me'] . '">', explode(',', $argv[5]));
    same(true, trigger_change('before_send_mail', true, '', array(), $mail));
    echo json_encode(array('body' => $mail->Body));
    exit;
}
if ($way === 'missing') {
    trigger_notify('ws_add_methods', array($service));
    $asked = array('types' => array('square'), 'max_urls' => 1000, 'prev_page' => 0, 'ids' => null);
    $missing = $service->call('pwg.getMissingDerivatives', $asked);
    $address = end($missing['urls']);
    parse_str((string) parse_url($address, PHP_URL_QUERY), $query);
    $made = $service->call($query['method'], array('photo' => $query['photo'], 'size' => $query['size']));
    $rest = $service->call('pwg.getMissingDerivatives', $asked);
    $wrong = $service->call('pwg.getMissingDerivatives', array('types' => array('huge')) + $asked);
    ob_end_clean();
    echo json_encode(array('first' => $missing, 'made' => $made, 'rest' => $rest, 'wrong' => $wrong->code));
    exit;
}
$state = json_decode(isset($conf["pwgserve"]) ? (string) $conf["pwgserve"] : "", true);
echo json_encode(array(
    'photos' => $found,
    'questions' => Database::$questions - $before,
    'style' => $conf['derivative_url_style'],
    'problem' => isset($state['problem']) ? $state['problem'] : null,
));
